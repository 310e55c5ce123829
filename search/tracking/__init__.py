"""Publishes studies to MLflow, and reaches it for whoever reads or writes there."""

"""Everything MLflow, and nothing else knows MLflow."""

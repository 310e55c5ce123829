"""Runs programs of others for a strategy: in walls of their own, with a way to named hosts and to nobody else."""

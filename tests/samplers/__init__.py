"""A bench for samplers: `python -m tests.samplers`, on a surrogate that was fitted to real training runs."""

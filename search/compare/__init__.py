"""`python -m search.compare`: says what the studies of an experiment show, and what they do not show."""

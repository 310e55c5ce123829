"""python -m search.compare: what the studies of an experiment show, and what they do not."""

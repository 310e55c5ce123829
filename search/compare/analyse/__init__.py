"""The statistics of an experiment: from its tables to a table of findings."""

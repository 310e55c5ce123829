"""The statistics of an experiment."""

"""A process that runs candidate code: its sandbox, its limits, and its end."""

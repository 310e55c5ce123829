"""From the published record to tables."""

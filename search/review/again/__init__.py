"""The kept programs, run again on this machine as they are: start against keeps in blocks."""

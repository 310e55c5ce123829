"""Reads the trials of one log from a file that somebody else wrote, and asks about what is not certain."""

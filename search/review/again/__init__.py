"""Runs the kept programs again on this machine, unchanged: start and keeps in blocks."""

"""Turns the published record into tables."""

"""Devices: which there are, who holds them, and what they do."""

"""Runs external programs for a strategy, in a sandbox of their own that reaches only named hosts."""

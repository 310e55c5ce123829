"""Providers that answer prompts, the record of every reply, prices, and edits read from replies."""

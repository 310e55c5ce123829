"""The strategy that the project is about: an LLM that edits train.py."""

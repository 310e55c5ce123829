"""Trains the stock and the winners again on another task: another budget, size, text or set of seeds."""

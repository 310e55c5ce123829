"""`python -m search.review`: says how much of the gain in somebody else's log is luck, without training anything."""

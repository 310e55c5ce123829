"""One experiment with every strategy there is, against a server that plays all LLMs; and what a proposal of each costs."""

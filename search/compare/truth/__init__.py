"""Does the comparison tell the truth? Simulated experiments whose truth is known, and what is found in them."""

"""Who answers a prompt, the record of every reply, prices, and edits read from replies."""

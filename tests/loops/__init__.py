"""The agent's loop before and after a change of it, played by a fake model on a task whose truth is known."""

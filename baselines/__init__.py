"""What the agent is compared with: its rivals, one file each."""

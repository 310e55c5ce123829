"""A study in one file that others can check: packed, unpacked without trust, and trained again in part."""

"""The page, its picture, and what the terminal says."""

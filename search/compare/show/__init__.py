"""The report, its pictures, and what the terminal says."""

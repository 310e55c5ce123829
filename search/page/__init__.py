"""The parts of every report: harmless text, Markdown, one HTML file, and pictures."""

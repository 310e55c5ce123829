"""What every report is made with: harmless text, Markdown, one HTML file, and pictures."""

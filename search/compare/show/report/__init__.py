"""The report: one source of text, rendered as HTML, as Markdown, and in short on the terminal."""

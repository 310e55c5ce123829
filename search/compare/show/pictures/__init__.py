"""The report's pictures: an analysis in, bytes of SVG and PNG out. The same analysis gives the same bytes."""

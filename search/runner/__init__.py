"""One candidate in, one outcome out: workspace, device, processes, scores, audit."""

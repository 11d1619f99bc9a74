"""Running papers on the many machines of a Ray cluster."""

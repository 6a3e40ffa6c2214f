"""Several frames: what one has to do with the one before."""

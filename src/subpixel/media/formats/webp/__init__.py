"""WebP: a walk of its chunks."""

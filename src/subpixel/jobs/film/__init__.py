"""A film through a network: planned before the work, done in segments, put together at the end."""

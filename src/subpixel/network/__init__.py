"""A name or a file becomes a network that runs."""

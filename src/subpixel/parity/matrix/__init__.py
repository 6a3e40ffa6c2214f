"""A network on every device and in every precision."""

"""Which node of one graph is which of another."""

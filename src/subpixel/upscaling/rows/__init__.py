"""Rows on their way from a network to a file."""

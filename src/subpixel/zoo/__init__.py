"""Bundled networks and their manifest."""

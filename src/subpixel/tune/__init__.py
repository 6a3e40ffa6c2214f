"""The fastest setting on this machine that keeps the picture."""

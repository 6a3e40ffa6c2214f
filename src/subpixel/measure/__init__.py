"""Judges of pictures: metrics, benchmark sets, sheets to look at."""

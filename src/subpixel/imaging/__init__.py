"""Arithmetic of pixels: colour, resampling, metrics."""

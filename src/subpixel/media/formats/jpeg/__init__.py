"""JPEG: segments before the first scan hold everything but the pixels."""

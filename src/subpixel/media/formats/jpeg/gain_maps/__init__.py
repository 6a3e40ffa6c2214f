"""Gain maps of other formats, as the files that they are behind a JPEG."""

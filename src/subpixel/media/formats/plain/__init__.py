"""Formats whose samples lie in the file as they are: read and written here, by rows."""

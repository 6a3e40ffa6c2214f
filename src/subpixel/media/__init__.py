"""Pictures: the value, and the files that hold it."""

"""Child processes, and calls that can be interrupted."""

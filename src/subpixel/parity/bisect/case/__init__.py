"""A fault as a folder of files to report."""

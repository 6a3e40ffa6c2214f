"""The web page, in which everything happens on the visitor's machine."""

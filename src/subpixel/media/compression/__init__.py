"""How much a picture lost when it was compressed: read from its file, or from its pixels."""

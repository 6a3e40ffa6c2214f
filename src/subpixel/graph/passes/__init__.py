"""One rewriting of a graph per file."""

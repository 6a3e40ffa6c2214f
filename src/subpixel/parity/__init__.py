"""The proof: two implementations of a network give the same picture."""

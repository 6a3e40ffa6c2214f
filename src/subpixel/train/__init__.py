"""Training: readable recipes for small networks."""

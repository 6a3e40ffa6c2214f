"""One training step: the phase that it is in, its loss, its state, and how it is computed."""

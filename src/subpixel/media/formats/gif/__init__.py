"""GIF: a walk of its blocks, the frames among them."""

"""How a TIFF file stores pixels, and what libvips is shown where it can't read that."""

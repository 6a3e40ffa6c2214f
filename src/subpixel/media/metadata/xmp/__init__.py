"""XMP: packets, and what of them stands in a second document."""

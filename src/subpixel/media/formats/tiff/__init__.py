"""TIFF: pages of fields."""

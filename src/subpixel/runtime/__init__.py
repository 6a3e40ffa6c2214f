"""Networks on pixels: sessions, tiles."""

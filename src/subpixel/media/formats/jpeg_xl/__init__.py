"""JPEG XL: what it holds, its reading and its writing."""

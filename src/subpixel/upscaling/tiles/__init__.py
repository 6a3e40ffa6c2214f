"""A picture in tiles: how it is cut, in which runs they go, what memory admits, which are flat."""

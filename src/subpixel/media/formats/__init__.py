"""Picture formats, one file for each: how it is known, what it holds, its reading and writing."""

"""Files and folders: whole-file writing, checks before it, hashes, the cache."""

"""Other people's networks: their catalogue, their download, and those that are in the cache."""

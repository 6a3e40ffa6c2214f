"""A third-party graph becomes an ordinary one: one rewriting per file, from the inside out."""

"""Which network of the family a picture goes through, by how much compression damaged it."""

"""What a decoder and who asked it say to each other."""

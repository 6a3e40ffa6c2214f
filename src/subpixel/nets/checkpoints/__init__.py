"""What a checkpoint file holds, and which network that is."""

"""What makes a file wrong: the stage and the node."""

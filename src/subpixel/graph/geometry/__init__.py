"""What follows from the operators alone: sizes, receptive field, cost, memory."""

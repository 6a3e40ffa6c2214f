"""What a network must compute, by NumPy alone: integers exactly, floats in double precision."""

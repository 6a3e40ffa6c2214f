"""Photographs → aligned low- and high-resolution luma crops, on the processor or on a GPU."""

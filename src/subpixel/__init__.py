"""subpixel: from a PyTorch super-resolution network to pictures on any machine."""

__version__ = "0.1.0"

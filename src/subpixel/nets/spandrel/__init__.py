"""spandrel's architectures."""

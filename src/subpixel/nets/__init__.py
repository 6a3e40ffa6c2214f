"""PyTorch: networks, their checkpoints, and export to ONNX."""

"""A module becomes an ONNX graph, by the exporters there are."""

"""Networks as ONNX graphs: pure functions over ``onnx.ModelProto``."""

"""ONNX Runtime's own file format, which only ONNX Runtime can read."""

IDENTIFIER = b"ORTM"
"""FlatBuffers' file identifier: the bytes 4 to 7 (onnxruntime/core/flatbuffers/schema/ort.fbs)."""

HEAD = 8
"""How many bytes of a file identify the format."""


def is_ort(head: bytes) -> bool:
    """Whether a file that begins with ``head`` is in ONNX Runtime's format."""
    return head[4:HEAD] == IDENTIFIER

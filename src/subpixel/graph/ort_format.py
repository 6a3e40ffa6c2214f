"""ONNX Runtime's own file format, which only ONNX Runtime can read."""

IDENTIFIER = b"ORTM"
"""FlatBuffers' file identifier: the bytes 4 to 7 (onnxruntime/core/flatbuffers/schema/ort.fbs)."""

HEAD = 8
"""How many bytes of a file tell."""


def is_ort(head: bytes) -> bool:
    """Whether a file that begins with ``head`` is of that format."""
    return head[4:HEAD] == IDENTIFIER

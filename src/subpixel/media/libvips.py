"""What reading and writing share of libvips."""

from typing import Any

import pyvips

Image = Any
"""A :class:`pyvips.Image`; its operations are made at run time, so it has no useful type."""


def number(image: Image, name: str, default: int) -> int:
    """A whole number among an image's fields."""
    return int(image.get(name)) if image.get_typeof(name) else default


def blob(image: Image, name: str) -> bytes | None:
    """Bytes among an image's fields."""
    return bytes(image.get(name)) if image.get_typeof(name) else None


def set_blob(image: Image, name: str, value: bytes | None) -> None:
    """Set bytes as an image's field."""
    image.set_type(pyvips.GValue.blob_type, name, value)


def out_of_memory(error: Exception) -> bool:
    """Whether libvips, or a codec under it, was refused memory."""
    said = str(error).lower()
    return any(
        words in said for words in ("out of memory", "memory allocation", "insufficient mem")
    )


def reason(error: Exception) -> str:
    """The first telling line of libvips' log, which lists every step that failed in turn."""
    if not isinstance(error, pyvips.Error):
        return str(error)
    lines = [line.strip() for line in str(error.detail or error.message).splitlines()]
    noise = ("bad seek", "load error", "unable to call", "unable to write")
    telling = [line for line in lines if line and not any(word in line for word in noise)]
    return telling[0].partition(": ")[2] or telling[0] if telling else "the data is damaged"

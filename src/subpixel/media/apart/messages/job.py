"""What a decoder is asked to do, as the message that starts it."""

import json
import struct
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Literal

_JOB_SIZE = struct.Struct("<I")

ROWS_SIGNAL = b"R"
"""Asks for all rows of the picture that was opened, from the top."""

ROWS_HEAD = struct.Struct("<I")
"""Before some rows of a picture, their number."""

MESSAGE_BYTES = 256
"""Most of a message between the zygote and who starts decoders."""

READY = b"ready"
"""What the zygote says first."""

NO_PACKAGE = "-"
"""In place of a package's name."""

NO_DECODER_ROOM = 256
"""The exit code of a decoder that could not be forked; no process has it."""

END_OF_ROWS, FAILURE = 0, 0xFFFFFFFF
"""In place of a number: no more follow; an answer says why they don't."""


Task = Literal["open", "show", "colours", "gain map"]
"""To give the picture of a file; the same upright and in sRGB, 8 bits, the first frame; to turn
rows into sRGB by the profile that the file is; to enlarge gain maps."""

PIECE_HEAD = struct.Struct("<I")
"""Before a piece that is to be turned into another, or has been, its bytes; or :data:`FAILURE`."""


@dataclass(frozen=True)
class DecoderJob:
    """What to do with one file."""

    file: str
    """As whoever asks calls it."""
    folder: str
    """What a relative name starts from."""
    stamp: tuple[int, ...]
    """Of a file on disk: :attr:`~subpixel.media.libvips.FileContents.stamp`."""
    size: int | None
    """Bytes of the file that follow; None: it lies on disk."""
    max_pixels: int
    max_bytes: int
    """As of :meth:`~subpixel.media.libvips.FileContents.of`."""
    task: Task
    memory: int
    """Bytes that the decoder may take beside what it holds, and beside the file's."""
    seconds: int
    """Of processor time."""
    numbers: tuple[float, ...] = ()
    """What else the task needs to know: see :mod:`~subpixel.media.apart.messages.forms`."""

    def pack(self) -> bytes:
        """As a message; the file's bytes come behind it."""
        text = json.dumps(asdict(self)).encode()
        return _JOB_SIZE.pack(len(text)) + text


def unpack_job(read: Callable[[int], bytes]) -> DecoderJob:
    """The job whose message ``read`` gives, so many bytes at a time."""
    fields = json.loads(read(_JOB_SIZE.unpack(read(_JOB_SIZE.size))[0]))
    lists = {name: tuple(fields[name]) for name in ("stamp", "numbers")}
    return DecoderJob(**{**fields, **lists})

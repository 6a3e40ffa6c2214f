"""The luma of all photographs as one small file, for machines that take only small uploads.

Each pixel is predicted from its neighbours on the left and above, and the differences compressed: 4
bits of the 8 remain of photographs. The prediction is LOCO-I's (Weinberger et al., IEEE TIP 2000),
a median.
"""

import lzma
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import UsageError, one_line
from subpixel.system.files.atomic import write_bytes
from subpixel.system.files.inputs import open_input

Plane = NDArray[np.uint8]
"""Luma of 8 bits, ``(H, W)``."""

MAX_PACK_BYTES = 1 << 30
PACK_FORMAT = "subpixel luma 1"


@dataclass(frozen=True, eq=False)
class LumaPack:
    """Luma of photographs, by name: some to train on, and others held out."""

    training: Mapping[str, Sequence[Plane]]
    held_out: Mapping[str, Sequence[Plane]]


def write_pack(file: Path, pack: LumaPack) -> None:
    """Write ``file``, replacing what is there."""
    groups = [(name, planes, "t") for name, planes in pack.training.items()]
    groups += [(name, planes, "h") for name, planes in pack.held_out.items()]
    rows = [(name, part, plane) for name, planes, part in groups for plane in planes]
    stream = BytesIO()
    np.savez(
        stream,
        format=np.array(PACK_FORMAT),
        names=np.array([name for name, _, _ in rows]),
        parts=np.array([part for _, part, _ in rows]),
        shapes=np.array([plane.shape for _, _, plane in rows], np.int32),
        planes=np.frombuffer(_pack_planes([plane for _, _, plane in rows]), np.uint8),
    )
    write_bytes(file, stream.getvalue(), overwrite=True)


def read_pack(file: Path) -> LumaPack:
    """Raises :class:`UsageError` for a file that :func:`write_pack` didn't write."""
    try:
        with open_input(file) as stream:
            content = np.load(BytesIO(stream.read(MAX_PACK_BYTES)), allow_pickle=False)
        if str(content["format"]) != PACK_FORMAT:
            raise ValueError(f"its format is {content['format']}")
        planes = _unpack_planes(content["planes"].tobytes(), content["shapes"])
        rows = list(zip(content["names"].tolist(), content["parts"].tolist(), planes, strict=True))
    except (OSError, KeyError, ValueError, EOFError, BadZipFile, lzma.LZMAError) as error:
        reason = one_line(error, most=100)
        raise UsageError(f"{file} holds no packed luma ({reason}); pack it again") from error
    return LumaPack(_group_planes(rows, "t"), _group_planes(rows, "h"))


def _group_planes(rows: Iterable[tuple[str, str, Plane]], part: str) -> Mapping[str, list[Plane]]:
    groups: dict[str, list[Plane]] = {}
    for name, role, plane in rows:
        if role == part:
            groups.setdefault(name, []).append(plane)
    return groups


def measure_pack(plane: Plane) -> int:
    """About what a picture takes of a pack."""
    return len(_pack_planes([plane]))


def _pack_planes(planes: Sequence[Plane]) -> bytes:
    return lzma.compress(b"".join(_predict_errors(plane).tobytes() for plane in planes), preset=6)


def _unpack_planes(data: bytes, shapes: NDArray[np.int32]) -> list[Plane]:
    flat = np.frombuffer(lzma.decompress(data), np.uint8)
    ends = np.cumsum(np.prod(shapes, axis=1, dtype=np.int64))
    if len(flat) != ends[-1]:
        raise ValueError(f"{len(flat)} pixels, not {ends[-1]}")
    parts = np.split(flat, ends[:-1])
    sides = [(int(height), int(width)) for height, width in shapes]
    planes: dict[int, Plane] = {}
    for shape in set(sides):
        places = [place for place, own in enumerate(sides) if own == shape]
        stack = np.stack([parts[place].reshape(shape) for place in places], axis=-1)
        planes |= zip(places, np.moveaxis(_restore(stack), -1, 0), strict=True)
    return [planes[place] for place in range(len(sides))]


def _predict_errors(plane: Plane) -> Plane:
    framed = np.pad(plane.astype(np.int16), ((1, 0), (1, 0)))
    guess = _predict(framed[1:, :-1], framed[:-1, 1:], framed[:-1, :-1])
    differences: Plane = (plane - guess).astype(np.uint8)
    return differences


def _predict(
    left: NDArray[np.int16], above: NDArray[np.int16], corner: NDArray[np.int16]
) -> NDArray[np.int16]:
    """The median of left, above, and left + above - corner."""
    low, high = np.minimum(left, above), np.maximum(left, above)
    guess: NDArray[np.int16] = np.clip(left + above - corner, low, high)
    return guess


def _restore(differences: Plane) -> Plane:
    """Of ``(H, W, N)``, along the diagonals, whose pixels depend only on the two before."""
    height, width, count = differences.shape
    framed = np.zeros((height + 1, width + 1, count), np.int16)
    for diagonal in range(height + width - 1):
        rows = np.arange(max(0, diagonal - width + 1), min(height, diagonal + 1))
        columns = diagonal - rows
        guess = _predict(
            framed[rows + 1, columns], framed[rows, columns + 1], framed[rows, columns]
        )
        framed[rows + 1, columns + 1] = (guess + differences[rows, columns]) & 255
    return framed[1:, 1:].astype(np.uint8)

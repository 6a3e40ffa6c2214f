"""PNG: chunks before the pixels hold everything else.

libvips turns every text into ``zTXt`` with its keyword cut at the first space, so the chunks are
written here. Source: W3C PNG 3rd edition.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

from subpixel.media.formats.account import FilePart, collect_losses, lose_oversized
from subpixel.media.formats.format import Capacity, EncodeTask, Format, FormatReader, FormatWriter
from subpixel.media.formats.png.animation import (
    PNG_TIMING,
    add_timing,
    cut_frames,
    decode_frames,
    spread_frames,
    write_animation,
)
from subpixel.media.formats.png.by_rows import write_png_rows
from subpixel.media.formats.png.chunks import (
    SIGNATURE,
    SINGLE_CHUNKS,
    TEXT_CHUNKS,
    build_chunk,
    list_png_parts,
    walk_chunks,
)
from subpixel.media.formats.png.colour import (
    apply_colour,
    build_colour_chunks,
    read_colour,
    widen_rows,
)
from subpixel.media.formats.png.hiding import hide_chunks
from subpixel.media.formats.png.text import Texts, encode_texts
from subpixel.media.libvips import (
    FileContents,
    FileTarget,
    Strictness,
    VipsImage,
    VipsLoad,
    get_blob,
    load_first_page,
    read_metadata,
)
from subpixel.media.metadata import exif
from subpixel.media.metadata.budget import Budget
from subpixel.media.picture import Loss, Metadata, Rows

FAST_LEVEL = 2
"""zlib's, by default: see :attr:`EncodeOptions.png_compression`."""


def _load_png(contents: FileContents, fail_on: Strictness) -> VipsLoad:
    with contents.stream() as stream:
        hidden = hide_chunks(stream)
    image = load_first_page("pngload_source", contents, fail_on, hidden)
    with contents.stream() as stream:
        colour = read_colour(stream, grey=image.bands <= 2)
    image, losses = spread_frames(apply_colour(image, colour), contents)
    return image, (*colour.losses, *losses)


def _decode_png(contents: FileContents) -> Iterator[Rows] | None:
    frames = decode_frames(contents)
    with contents.stream() as stream:
        narrow = frames is not None and read_colour(stream, grey=False).narrow
    return map(widen_rows, frames) if frames is not None and narrow else frames


def _describe_png(contents: FileContents, image: VipsImage) -> tuple[Metadata, tuple[Loss, ...]]:
    with contents.stream(buffering=0) as stream:
        png = _read_png_facts(stream)
    block, (resolution, aspect) = png.first.get(b"eXIf") or None, png.density
    believed = exif.believe_resolution(resolution)
    meta = replace(
        read_metadata(image),
        text=tuple(png.texts.pairs),
        xmp=png.texts.xmp,
        exif=block,
        orientation=exif.orientation_in(block),
        resolution=believed or exif.resolution_in(block),
        aspect=aspect,
    )
    losses = collect_losses(png.texts.losses) + png.losses
    if resolution is not None and believed is None:
        losses += (exif.lose_resolution(resolution),)
    return add_timing(meta, contents), losses


def _list_png_parts(contents: FileContents) -> Iterator[FilePart]:
    with contents.stream(buffering=0) as stream:
        yield from list_png_parts(stream)


@dataclass(frozen=True)
class _PngFacts:
    """What a file says beside its pixels and their colours."""

    texts: Texts
    first: dict[bytes, bytes]
    """The content of the first chunk of each name that is read."""
    losses: tuple[Loss, ...]
    """Of those, the ones that are too large."""

    @property
    def density(self) -> tuple[tuple[float, float] | None, tuple[int, int] | None]:
        """Pixels per millimetre, or the pixels' aspect where there is no unit."""
        data = self.first.get(b"pHYs", b"")
        if len(data) != 9 or bytes(4) in (data[:4], data[4:8]):
            return None, None
        across, down = struct.unpack(">II", data[:8])
        if data[8] == 1:
            return (across / 1000, down / 1000), None
        return None, (across, down) if across != down else None


def _read_png_facts(stream: BinaryIO) -> _PngFacts:
    """Read the chunks; texts that are damaged or oversized are left out and named as losses."""
    budget = Budget()
    texts, first, losses = Texts(budget), dict[bytes, bytes](), list[Loss]()
    for chunk in walk_chunks(stream):
        if chunk.name in TEXT_CHUNKS:
            if budget.take(chunk.size):
                texts.add(chunk.name, chunk.read(stream))
            else:
                texts.add_oversized(chunk.size)
        elif chunk.name in SINGLE_CHUNKS and chunk.name not in first:
            has_room = budget.take(chunk.size)
            first[chunk.name] = chunk.read(stream) if has_room else b""
            losses += [] if has_room else [lose_oversized(SINGLE_CHUNKS[chunk.name], chunk.size)]
    return _PngFacts(texts, first, tuple(losses))


def _save_png(image: VipsImage, task: EncodeTask, target: FileTarget) -> None:
    level, meta = task.options.png_compression, task.header.metadata
    block, count = task.exif_block(meta.orientation), task.form.count_frames(task.header)
    if count > 1:
        write_animation(_encode_frames(image, task, block), meta, count, target.stream)
        return
    profile = get_blob(image, "icc-profile-data")

    def splice(head: bytes) -> bytes | None:
        return _splice_chunks(head, meta, block, profile) if _reaches_pixels(head) else None

    out = target.for_libvips(splice)
    if level is None:
        image.pngsave_target(out, keep="none", compression=FAST_LEVEL, filter="up")
    else:
        image.pngsave_target(out, keep="none", compression=level)


def _save_png_rows(
    blocks: Iterator[Rows], task: EncodeTask, profile: bytes | None, target: FileTarget
) -> None:
    level, meta = task.options.png_compression, task.header.metadata
    chunks = _build_chunks(meta, task.exif_block(meta.orientation), profile)
    fast = FAST_LEVEL if level is None else level
    write_png_rows(blocks, task.file_header, chunks, fast, target)


def _encode_frames(image: VipsImage, task: EncodeTask, block: bytes | None) -> Iterator[bytes]:
    """Each frame as a PNG of its own, the first with all metadata."""
    level, meta = task.options.png_compression, task.header.metadata
    profile = get_blob(image, "icc-profile-data")
    for number, frame in enumerate(cut_frames(image, task.header.height)):
        if level is None:
            file = frame.pngsave_buffer(keep="none", compression=FAST_LEVEL, filter="up")
        else:
            file = frame.pngsave_buffer(keep="none", compression=level)
        yield file if number else _splice_chunks(file, meta, block, profile)


def _splice_chunks(
    file: bytes, meta: Metadata, block: bytes | None, profile: bytes | None
) -> bytes:
    """libvips' PNG, or its beginning, with the metadata's chunks before its pixels."""
    return b"".join(_replace_chunks(file, _build_chunks(meta, block, profile)))


def _build_chunks(meta: Metadata, block: bytes | None, profile: bytes | None) -> bytes:
    """What stands before the pixels, but for the header."""
    density = _build_density(meta)
    chunks = build_colour_chunks(profile)
    chunks += [(b"pHYs", density)] if density else []
    if block is not None:
        chunks.append((b"eXIf", block))
    chunks += encode_texts(meta.xmp, meta.text)
    return b"".join(build_chunk(name, data) for name, data in chunks)


def _reaches_pixels(file: bytes) -> bool:
    """Whether the first bytes of a file reach as far as its pixels."""
    at = len(SIGNATURE)
    while at + 8 <= len(file):
        length, name = struct.unpack_from(">I4s", file, at)
        if name == b"IDAT":
            return True
        at += 12 + length
    return False


def _replace_chunks(file: bytes, ours: bytes) -> Iterator[bytes | memoryview]:
    """The file with ``ours`` in place of all before the pixels but the header."""
    whole, at = memoryview(file), len(SIGNATURE)
    yield whole[:at]
    while at < len(file):
        length, name = struct.unpack_from(">I4s", file, at)
        if name == b"IDAT":
            yield ours
            yield whole[at:]
            return
        if name == b"IHDR":
            yield whole[at : at + 12 + length]
        at += 12 + length


def _build_density(meta: Metadata) -> bytes | None:
    """The content of ``pHYs``; None where nothing is known."""
    unit, numbers = 0, meta.aspect
    if meta.resolution is not None:
        across, down = meta.resolution
        unit, numbers = 1, (round(across * 1000), round(down * 1000))
    if numbers is None:
        return None
    return struct.pack(">IIB", *(min(max(number, 1), (1 << 31) - 1) for number in numbers), unit)


PNG = Format(
    name="PNG",
    suffixes=(".png",),
    recognize=lambda head: head[:8] == SIGNATURE,
    capacity=Capacity(
        depth=16,
        alpha="full",
        grey=True,
        animation="timed",
        text="yes",
        timing=PNG_TIMING,
        aspect=True,
        coding_points=True,
    ),
    reader=FormatReader(
        load=_load_png,
        describe=_describe_png,
        decode=_decode_png,
        parts=_list_png_parts,
        animation_bytes=36,
        interlaced_rows=1.2,
    ),
    writer=FormatWriter(
        save=_save_png,
        save_rows=_save_png_rows,
        options=frozenset({"png_compression", "lossless"}),
        animation_bytes=64,
    ),
)

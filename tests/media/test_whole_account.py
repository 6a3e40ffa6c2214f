"""The account of a file: every part that a file may hold comes out again, or is named as a loss.

The parts are known and invented ones, of tables and drawn. That an output has a part is seen in its
bytes or by Pillow.
"""

from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from insertions import (
    GIF,
    INSERTIONS,
    JPEG,
    PNG,
    TOKEN,
    WEBP,
    Insertion,
    chunk,
    extended_webp,
    gif_extension,
    riff_chunk,
    segment,
    with_blocks,
    with_chunks,
    with_segments,
)
from subpixel.errors import LossError
from subpixel.media.formats.registry import FORMATS
from subpixel.media.image_file import losses_in, open_picture, read_picture, write_picture
from subpixel.media.picture import Picture

SUFFIXES = [form.suffixes[0] for form in FORMATS]


def read_enlarged(folder: Path, name: str, data: bytes) -> Picture:
    """The picture in a file, twice as wide and high."""
    file = folder / name
    file.write_bytes(data)
    picture = read_picture(file)
    return replace(picture, frames=picture.frames.repeat(2, axis=1).repeat(2, axis=2))


def expect_kept_or_named(folder: Path, insertion: Insertion, suffix: str) -> None:
    """The output has the part, or the losses name it; strict refuses exactly then."""
    plain = read_enlarged(folder, f"plain{insertion.suffix}", insertion.plain)
    picture = read_enlarged(folder, f"picture{insertion.suffix}", insertion.data)
    before, target = plain.losses + losses_in(plain, suffix), folder / f"after{suffix}"
    refusal = ""
    try:
        losses = write_picture(picture, target, strict=True)
    except LossError as error:
        refusal = str(error)
        assert not target.exists()
        losses = write_picture(picture, target)
    assert bool(losses) == bool(refusal)
    assert all(str(loss) in refusal for loss in losses)
    named = set(losses) - set(before)
    if insertion.says_nothing:
        assert not named
    else:
        assert bool(named) != insertion.is_kept(target)
        assert not named or insertion.label in " ".join(map(str, named))


@pytest.mark.sample(every=13, slow=3)
@pytest.mark.parametrize(
    ("insertion", "suffix"),
    list(product(INSERTIONS, SUFFIXES)),
    ids=lambda v: v if isinstance(v, str) else f"{v.suffix[1:]}: {v.name}",
)
def test_each_part_is_kept_or_named(tmp_path: Path, insertion: Insertion, suffix: str) -> None:
    expect_kept_or_named(tmp_path, insertion, suffix)


def names(first: str, *others: str) -> st.SearchStrategy[str]:
    return st.tuples(*map(st.sampled_from, (first, *others))).map("".join)


LOWER, UPPER = "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
CHUNK_NAMES = names(LOWER, LOWER + UPPER, UPPER, LOWER + UPPER).filter(
    lambda name: (
        not any(name in i.name for i in INSERTIONS if i.suffix == ".png")
        and name not in ("acTL", "fcTL", "fdAT", "cICP", "gAMA", "iCCP", "tRNS", "cHRM")
    )
)
RIFF_NAMES = st.binary(min_size=4, max_size=4).filter(
    lambda name: (
        name not in (b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP")
        and name not in (b"EXIF", b"XMP ")
    )
)
LABELS = st.binary(max_size=20)
FILLS = st.binary(max_size=60_000)


def draw_segment(number: int, label: bytes, fill: bytes) -> Insertion:
    data = with_segments(segment(0xE0 + number, label + TOKEN + fill))
    return Insertion(".jpg", "a segment", data, JPEG, label=f"APP{number}")


def draw_chunk(name: str, behind: bool, fill: bytes) -> Insertion:
    data = with_chunks(chunk(name.encode(), TOKEN + fill), behind_pixels=behind)
    return Insertion(".png", "a chunk", data, PNG, label=name)


def draw_riff_chunk(name: bytes, fill: bytes) -> Insertion:
    data = extended_webp(behind=[riff_chunk(name, TOKEN + fill)])
    return Insertion(".webp", "a chunk", data, extended_webp())


def draw_extension(label: int, behind: bool, fill: bytes) -> Insertion:
    pieces = [fill[at : at + 255] for at in range(0, len(fill), 255)]
    data = with_blocks(gif_extension(label, TOKEN, *pieces), behind_image=behind)
    return Insertion(".gif", "an extension", data, GIF)


def draw_application(name: bytes, fill: bytes) -> Insertion:
    data = with_blocks(gif_extension(0xFF, name, TOKEN, fill[:255]))
    return Insertion(".gif", "an application's extension", data, GIF)


EXTENSION_LABELS = st.integers(0, 255).filter(lambda label: label not in (0x01, 0xF9, 0xFE, 0xFF))
INVENTED = st.one_of(
    st.builds(draw_segment, st.integers(0, 15), LABELS, FILLS),
    st.builds(draw_chunk, CHUNK_NAMES, st.booleans(), FILLS),
    st.builds(draw_riff_chunk, RIFF_NAMES, FILLS),
    st.builds(draw_extension, EXTENSION_LABELS, st.booleans(), FILLS),
    st.builds(draw_application, st.binary(min_size=11, max_size=11), FILLS),
)


@pytest.mark.slow
@settings(max_examples=60)
@given(insertion=INVENTED, suffix=st.sampled_from(SUFFIXES))
def test_each_invented_part_is_named(
    tmp_path_factory: pytest.TempPathFactory, insertion: Insertion, suffix: str
) -> None:
    expect_kept_or_named(tmp_path_factory.mktemp("invented"), insertion, suffix)


TAILS = {".jpg": JPEG, ".png": PNG, ".webp": WEBP, ".gif": GIF}


@given(suffix=st.sampled_from(sorted(TAILS)), tail=st.binary(min_size=1, max_size=300))
def test_bytes_behind_the_end_are_named(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, tail: bytes
) -> None:
    file = tmp_path_factory.mktemp("tail") / f"picture{suffix}"
    file.write_bytes(TAILS[suffix] + tail)
    losses = open_picture(file).header.losses
    assert bool(losses) == bool(tail.strip(b"\0 \r\n\t"))

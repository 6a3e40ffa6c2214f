"""Animated PNG against Pillow, which composes frames by code of its own."""

import struct
import zlib
from fractions import Fraction
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from samples import SRGB, XMP, exif_block, smooth
from subpixel.errors import PictureError, PictureTooLargeError
from subpixel.media.image_file import losses_in, open_picture, read_picture, write_picture
from subpixel.media.picture import Metadata, Picture

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}
"""By colour type."""


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def compress(samples: NDArray) -> bytes:
    """Rows without a filter."""
    rows = samples.astype(">u2") if samples.dtype == np.uint16 else samples
    return zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))


class Film:
    """A file made chunk by chunk."""

    def __init__(self, size: tuple[int, int], colour: int, bits: int = 8, loop: int = 0) -> None:
        self.size, self.colour, self.bits, self.loop = size, colour, bits, loop
        self.chunks: list[bytes] = []
        self.shared: list[bytes] = []
        self.count = self.number = 0

    def still(self, samples: NDArray) -> "Film":
        self.chunks.append(chunk(b"IDAT", compress(samples)))
        return self

    def frame(
        self,
        samples: NDArray,
        at: tuple[int, int] = (0, 0),
        delay: tuple[int, int] = (1, 10),
        dispose: int = 0,
        blend: int = 0,
        pieces: int = 1,
    ) -> "Film":
        height, width = samples.shape[:2]
        control = struct.pack(">IIIIIHHBB", self.number, width, height, *at, *delay, dispose, blend)
        self.chunks.append(chunk(b"fcTL", control))
        self.number += 1
        data = compress(samples)
        step = -(-len(data) // pieces)
        first = not any(c[4:8] == b"IDAT" for c in self.chunks)
        for start in range(0, len(data), step):
            piece = data[start : start + step]
            if first:
                self.chunks.append(chunk(b"IDAT", piece))
            else:
                self.chunks.append(chunk(b"fdAT", struct.pack(">I", self.number) + piece))
                self.number += 1
        self.count += 1
        return self

    def build(self, count: int | None = None) -> bytes:
        ihdr = struct.pack(">IIBBBBB", *self.size, self.bits, self.colour, 0, 0, 0)
        control = struct.pack(">II", self.count if count is None else count, self.loop)
        parts = (chunk(b"IHDR", ihdr), *self.shared, chunk(b"acTL", control), *self.chunks)
        return SIGNATURE + b"".join((*parts, chunk(b"IEND", b"")))


def noise(seed: int, size: tuple[int, int], channels: int, dtype: type = np.uint8) -> NDArray:
    """Alpha is nothing or full."""
    samples = soft_noise(seed, size, channels, dtype)
    if channels in (2, 4):
        alpha = samples[..., -1]
        alpha[:] = np.where(alpha % 2, np.iinfo(dtype).max, 0)
    return samples


def soft_noise(seed: int, size: tuple[int, int], channels: int, dtype: type) -> NDArray:
    """Alpha of all kinds: nothing, full, between."""
    rng = np.random.default_rng(seed)
    samples = rng.integers(0, np.iinfo(dtype).max + 1, (size[1], size[0], channels), dtype)
    if channels in (2, 4):
        kinds = rng.integers(0, 3, samples.shape[:2])
        samples[..., -1] = np.choose(kinds, (0, np.iinfo(dtype).max, samples[..., -1]))
    return samples


def by_pillow(file: Path) -> list[NDArray]:
    frames = []
    with Image.open(file) as image:
        for number in range(image.n_frames):
            image.seek(number)
            frames.append(np.asarray(image.convert("RGBA")))
    return frames


def assert_same(frames: NDArray, seen: list[NDArray]) -> None:
    """What can't be seen doesn't count."""
    assert len(frames) == len(seen)
    for ours, theirs in zip(frames, seen, strict=True):
        wide = ours if ours.shape[2] == 4 else np.dstack([ours, np.full(ours.shape[:2], 255)])
        assert np.array_equal(wide[..., 3], theirs[..., 3])
        visible = theirs[..., 3] > 0
        assert np.array_equal(wide[visible], theirs[visible])


@pytest.mark.parametrize(
    ("disposals", "blends"),
    list(product(product(range(3), repeat=2), product(range(2), repeat=2))),
    ids=str,
)
def test_frames_are_laid_as_pillow_lays_them(
    tmp_path: Path, disposals: tuple[int, int], blends: tuple[int, int]
) -> None:
    parts: list[Part] = [
        (noise(0, (20, 14), 4), (0, 0), 0, 0),
        (noise(1, (9, 7), 4), (3, 5), disposals[0], blends[0]),
        (noise(2, (12, 9), 4), (8, 2), disposals[1], blends[1]),
        (noise(3, (20, 14), 4), (0, 0), 0, 1),
    ]
    (tmp_path / "a.png").write_bytes(join(parts))
    picture = read_picture(tmp_path / "a.png")
    assert picture.losses == ()
    seen = []
    for number in range(len(parts)):  # Pillow doesn't take back what was laid over with alpha
        stay = [part for part in parts[:number] if part[2] != 2]
        (tmp_path / "b.png").write_bytes(join([*stay, parts[number]]))
        seen.append(by_pillow(tmp_path / "b.png")[-1])
    assert_same(picture.frames, seen)


Part = tuple[NDArray, tuple[int, int], int, int]
"""Samples, place, disposal and blending of a frame."""


def join(parts: list[Part]) -> bytes:
    film = Film((20, 14), 6)
    for samples, at, dispose, blend in parts:
        film.frame(samples, at, dispose=dispose, blend=blend, pieces=3)
    return film.build()


@pytest.mark.parametrize("first", [0, 1, 2])
def test_the_first_frame_may_be_cleared(tmp_path: Path, first: int) -> None:
    """Back to before the first frame is back to nothing."""
    film = Film((20, 14), 6).frame(noise(0, (20, 14), 4), dispose=first)
    film.frame(noise(1, (9, 7), 4), (3, 5), blend=1)
    (tmp_path / "a.png").write_bytes(film.build())
    assert_same(read_picture(tmp_path / "a.png").frames, by_pillow(tmp_path / "a.png"))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_soft_edges_are_laid_over_one_another(tmp_path: Path, dtype: type) -> None:
    """As Pillow composes stills; of an animation it mixes alpha like a colour."""
    lower, upper = (soft_noise(n, (40, 30), 4, dtype) for n in range(2))
    film = Film((40, 30), 6, 8 * np.dtype(dtype).itemsize).frame(lower).frame(upper, blend=1)
    (tmp_path / "a.png").write_bytes(film.build())
    frame = read_picture(tmp_path / "a.png").frames[1]
    scale = np.iinfo(dtype).max / 255
    stills = [Image.fromarray((s / scale).astype(np.uint8)) for s in (lower, upper)]
    seen = np.asarray(Image.alpha_composite(*stills)).astype(float)
    # 16 bits were cut to 8 for it: by up to 1, in each of the two, and in the result
    limit = 1 if dtype is np.uint8 else 3
    assert np.abs(frame[..., 3] / scale - seen[..., 3]).max() <= limit
    weight = seen[..., 3:] / 255
    assert (np.abs(frame[..., :3] / scale - seen[..., :3]) * weight).max() <= 2 * limit


def test_opaque_frames_stay_opaque(tmp_path: Path) -> None:
    film = Film((20, 14), 2).frame(noise(0, (20, 14), 3))
    film.frame(noise(1, (9, 7), 3), (3, 5), dispose=2)
    film.frame(noise(2, (5, 5), 3), (1, 1), dispose=1)
    (tmp_path / "a.png").write_bytes(film.build())
    picture = read_picture(tmp_path / "a.png")
    assert not picture.has_alpha
    assert_same(picture.frames, by_pillow(tmp_path / "a.png"))


def test_what_is_cleared_lets_through(tmp_path: Path) -> None:
    """Also where no sample is transparent; Pillow has black there."""
    first, second, third = noise(0, (20, 14), 3), noise(1, (9, 7), 3), noise(2, (5, 5), 3)
    film = Film((20, 14), 2).frame(first).frame(second, (3, 5), dispose=1).frame(third, (1, 1))
    (tmp_path / "a.png").write_bytes(film.build())
    frames = read_picture(tmp_path / "a.png").frames
    expected = np.dstack([first, np.full((14, 20), 255, np.uint8)])
    assert np.array_equal(frames[0], expected)
    expected[5:12, 3:12, :3] = second
    assert np.array_equal(frames[1], expected)
    expected[5:12, 3:12] = 0
    expected[1:6, 1:6, :3], expected[1:6, 1:6, 3] = third, 255
    assert np.array_equal(frames[2], expected)


@pytest.mark.parametrize("transparent", [False, True])
def test_palettes(tmp_path: Path, transparent: bool) -> None:
    film = Film((8, 6), 3)
    palette = np.arange(12, dtype=np.uint8).reshape(4, 3) * 20
    film.shared.append(chunk(b"PLTE", palette.tobytes()))
    if transparent:
        film.shared.append(chunk(b"tRNS", b"\x00\xff"))
    film.frame(noise(0, (8, 6), 1) % 4).frame(noise(1, (4, 3), 1) % 4, (2, 1), blend=1)
    (tmp_path / "a.png").write_bytes(film.build())
    picture = read_picture(tmp_path / "a.png")
    assert picture.has_alpha == transparent
    assert_same(picture.frames, by_pillow(tmp_path / "a.png"))


@pytest.mark.parametrize("colour", [0, 2, 4, 6])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_samples_of_every_form_are_exact(tmp_path: Path, colour: int, dtype: type) -> None:
    frames = [noise(n, (20, 14), CHANNELS[colour], dtype) for n in range(2)]
    film = Film((20, 14), colour, 8 * np.dtype(dtype).itemsize)
    for frame in frames:
        film.frame(frame)
    (tmp_path / "a.png").write_bytes(film.build())
    assert np.array_equal(read_picture(tmp_path / "a.png").frames, np.stack(frames))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_frames_go_round(tmp_path: Path, channels: int, dtype: type) -> None:
    frames = np.stack([noise(n, (20, 150), channels, dtype) for n in range(3)])
    delays = (Fraction(1000, 30), 0, 70_000)
    meta = Metadata(delays_ms=delays, loop=7, icc=SRGB if channels > 2 else None, xmp=XMP)
    picture = Picture(frames, meta, bit_depth=frames.dtype.itemsize * 8)
    assert write_picture(picture, tmp_path / "a.png", strict=True) == ()
    back = read_picture(tmp_path / "a.png")
    assert np.array_equal(back.frames, frames)
    assert back.metadata == meta
    if dtype is np.uint8 and channels != 2:
        assert_same(in_colour(frames), by_pillow(tmp_path / "a.png"))
    with Image.open(tmp_path / "a.png") as image:
        assert (image.n_frames, image.info["loop"]) == (3, 7)
        image.seek(0)
        assert image.info["duration"] == pytest.approx(1000 / 30)


def in_colour(frames: NDArray) -> NDArray:
    return frames.repeat(3, axis=-1) if frames.shape[-1] == 1 else frames


def test_metadata_stands_before_the_first_pixels(tmp_path: Path) -> None:
    meta = Metadata(
        exif=exif_block(orientation=6),
        orientation=6,
        text=(("Title", "a film"),),
        resolution=(3.0, 3.0),
        delays_ms=(50, 50),
    )
    write_picture(Picture(np.concatenate([smooth(3)] * 2), meta), tmp_path / "a.png", strict=True)
    back = read_picture(tmp_path / "a.png").metadata
    assert (back.text, back.orientation, back.resolution) == (meta.text, 6, (3.0, 3.0))
    with Image.open(tmp_path / "a.png") as image:
        assert image.info["Title"] == "a film"


@pytest.mark.parametrize("colour", [0, 2, 4, 6])
@pytest.mark.parametrize("bits", [8, 16])
def test_a_narrow_range_is_stretched_in_every_frame(tmp_path: Path, colour: int, bits: int) -> None:
    dtype = np.dtype(np.uint8 if bits == 8 else np.uint16)
    step, white = 1 << (bits - 8), np.iinfo(dtype).max
    frame = np.arange(16, 236).reshape(11, 20, 1).repeat(CHANNELS[colour], -1) * step
    if colour > 3:
        frame[..., -1] = white
    frame = frame.astype(dtype)
    film = Film((20, 11), colour, bits)
    film.shared.append(chunk(b"cICP", b"\x01\x0d\x00\x00"))
    (tmp_path / "a.png").write_bytes(film.frame(frame).frame(frame[::-1]).build())
    frames = read_picture(tmp_path / "a.png").frames
    exact = (frame[..., 0] / step - 16) / 219 * white
    assert np.abs(frames[0, ..., 0] - exact).max() <= 0.5 + 1e-9
    assert np.array_equal(frames[1], frames[0, ::-1])
    if colour > 3:
        assert frames[..., -1].min() == white


def test_a_still_is_as_before(tmp_path: Path) -> None:
    write_picture(Picture(smooth(3), Metadata(delays_ms=(50,))), tmp_path / "a.png")
    assert b"acTL" not in (tmp_path / "a.png").read_bytes()


def test_a_still_that_is_no_frame_is_named(tmp_path: Path) -> None:
    film = Film((20, 14), 2).still(noise(9, (20, 14), 3))
    film.frame(noise(0, (20, 14), 3)).frame(noise(1, (20, 14), 3))
    (tmp_path / "a.png").write_bytes(film.build())
    picture = read_picture(tmp_path / "a.png")
    assert [str(loss) for loss in picture.losses] == [
        "frames: the still in place of the animation is left out"
    ]
    assert np.array_equal(picture.frames[0], noise(0, (20, 14), 3))
    assert len(picture.frames) == 2


def test_one_frame_beside_a_still_is_the_picture(tmp_path: Path) -> None:
    film = Film((20, 14), 2).still(noise(9, (20, 14), 3)).frame(noise(0, (9, 9), 3), (5, 5))
    (tmp_path / "a.png").write_bytes(film.build())
    picture = read_picture(tmp_path / "a.png")
    assert picture.frames.shape == (1, 14, 20, 4)
    assert np.array_equal(picture.frames[0, 5:14, 5:14, :3], noise(0, (9, 9), 3))
    assert picture.frames[0, :5, :, 3].max() == 0


def test_an_animation_of_one_frame_is_a_still(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(Film((20, 14), 2).frame(noise(0, (20, 14), 3)).build())
    picture = read_picture(tmp_path / "a.png")
    assert picture.losses == ()
    assert picture.metadata.delays_ms == ()
    assert np.array_equal(picture.frames[0], noise(0, (20, 14), 3))


def damaged() -> dict[str, bytes]:
    whole = noise(0, (20, 14), 3)
    swapped = Film((20, 14), 2).frame(whole).frame(whole).frame(whole)
    swapped.chunks[2:4], swapped.chunks[4:6] = swapped.chunks[4:6], swapped.chunks[2:4]
    outside = Film((20, 14), 2).frame(whole).frame(noise(1, (10, 10), 3), (15, 0))
    empty = Film((20, 14), 2).frame(whole).frame(whole)
    empty.chunks.pop()
    kind = Film((20, 14), 2).frame(whole).frame(whole, dispose=3)
    headers = Film((20, 14), 2).frame(whole).frame(whole)
    headers.chunks.append(chunk(b"IHDR", b""))
    return {
        "out of order": swapped.build(),
        "outside the picture": outside.build(),
        "has no samples": empty.build(),
        "unknown kind": kind.build(),
        "two headers": headers.build(),
        "3 are announced": Film((20, 14), 2).frame(whole).frame(whole).build(3),
    }


@pytest.mark.parametrize("words", damaged())
def test_a_damaged_animation_is_a_still_and_said_so(tmp_path: Path, words: str) -> None:
    (tmp_path / "a.png").write_bytes(damaged()[words])
    picture = read_picture(tmp_path / "a.png")
    assert [loss.what for loss in picture.losses] == ["frames"]
    assert words in picture.losses[0].why
    assert np.array_equal(picture.frames[0], noise(0, (20, 14), 3))


@pytest.mark.parametrize("at", [-30, -22])
def test_damaged_samples_are_refused(tmp_path: Path, at: int) -> None:
    """By their checksum, which libvips doesn't see."""
    film = Film((20, 14), 2).frame(noise(0, (20, 14), 3)).frame(noise(1, (20, 14), 3))
    data = bytearray(film.build())
    data[at] ^= 1
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(PictureError, match="wrong checksum"):
        read_picture(tmp_path / "a.png")


def test_all_frames_count_as_pixels(tmp_path: Path) -> None:
    film = Film((20, 14), 2)
    for number in range(3):
        film.frame(noise(number, (20, 14), 3))
    (tmp_path / "a.png").write_bytes(film.build())
    assert open_picture(tmp_path / "a.png", max_pixels=3 * 280).header.count == 3
    with pytest.raises(PictureTooLargeError, match=r"pixels in 3 frame\(s\), 840 in all"):
        open_picture(tmp_path / "a.png", max_pixels=3 * 280 - 1)


def test_delays_that_other_formats_round(tmp_path: Path) -> None:
    frames = np.concatenate([smooth(3), 255 - smooth(3)])
    thirds = Picture(frames, Metadata(delays_ms=(Fraction(100, 3), 40)))
    assert [loss.what for loss in losses_in(thirds, ".webp")] == ["timing"]
    assert losses_in(thirds, ".png") == ()
    write_picture(thirds, tmp_path / "a.webp")
    assert read_picture(tmp_path / "a.webp").metadata.delays_ms == (33, 40)

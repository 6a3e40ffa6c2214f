"""JPEGs that are whole but not by the letter, and those that are damaged."""

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from samples import smooth
from subpixel.errors import PictureError
from subpixel.media.formats.jpeg.mending import mend_jpeg
from subpixel.media.image_file import read_picture

NOISE = np.random.default_rng(5).integers(0, 256, (40, 56, 3), dtype=np.uint8)
OPTIONS = {
    "plain": {},
    "full chroma": {"subsampling": 0},
    "half chroma": {"subsampling": 1},
    "optimised": {"optimize": True},
    "progressive": {"progressive": True},
    "restarts": {"restart_marker_blocks": 2},
}


def jpeg(name: str = "plain", *, grey: bool = False, frame: np.ndarray = NOISE) -> bytes:
    stream = io.BytesIO()
    image = Image.fromarray(frame).convert("L" if grey else "RGB")
    image.save(stream, "JPEG", quality=80, **OPTIONS[name])
    return stream.getvalue()


def pixels(tmp_path: Path, data: bytes) -> np.ndarray:
    file = tmp_path / "a.jpg"
    file.write_bytes(data)
    picture = read_picture(file)
    assert picture.losses == ()
    return picture.frames


def scan_header(data: bytes) -> int:
    """Where the three numbers of the first scan stand."""
    at = data.index(b"\xff\xda") + 4
    return at + 1 + 2 * data[at]


@pytest.mark.parametrize("name", ["plain", "full chroma", "half chroma", "restarts"])
@pytest.mark.parametrize("grey", [False, True])
@settings(max_examples=20)
@given(numbers=st.binary(min_size=3, max_size=3))
def test_numbers_that_a_sequential_scan_has_no_use_for(
    tmp_path_factory: pytest.TempPathFactory, name: str, grey: bool, numbers: bytes
) -> None:
    folder = tmp_path_factory.mktemp("jpeg")
    sound = jpeg(name, grey=grey)
    at = scan_header(sound)
    changed = sound[:at] + numbers + sound[at + 3 :]
    np.testing.assert_array_equal(pixels(folder, changed), pixels(folder, sound))


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("tail", [b"", b"\xff"])
def test_a_missing_end_marker(tmp_path: Path, name: str, grey: bool, tail: bytes) -> None:
    sound = jpeg(name, grey=grey)
    assert sound.endswith(b"\xff\xd9")
    np.testing.assert_array_equal(
        pixels(tmp_path, sound[:-2] + tail), np.asarray(pixels(tmp_path, sound))
    )


@pytest.mark.sample(every=11)
@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("height", [40, 37, 32, 24])
def test_what_is_cut_off_is_an_error_or_nothing_is_missing(
    tmp_path: Path, name: str, height: int
) -> None:
    sound = jpeg(name, frame=NOISE[:height])
    whole = pixels(tmp_path, sound)
    refused, last = 0, len(sound) - 2
    for length in [*range(2, last, 29), *range(last - 40, last)]:
        try:
            shown = pixels(tmp_path, sound[:length])
        except PictureError:
            refused += 1
            continue
        np.testing.assert_array_equal(shown, whole)
        assert length >= len(sound) - 4
    assert refused > 60


@pytest.mark.parametrize("scans", [1, 2, 5, 8])
def test_a_progressive_file_without_its_last_scans(tmp_path: Path, scans: int) -> None:
    sound = jpeg("progressive")
    at = 0
    for _ in range(scans + 1):
        at = sound.index(b"\xff\xda", at + 1)
    cut = sound[: sound.rindex(b"\xff\xc4", 0, at)]
    with pytest.raises(PictureError):
        pixels(tmp_path, cut)


def test_versions_and_transforms_that_nobody_defined(tmp_path: Path) -> None:
    sound = jpeg(frame=smooth(3)[0])
    at = sound.index(b"JFIF\0")
    later = sound[: at + 5] + b"\7\7" + sound[at + 7 :]
    adobe = struct.pack(">BBH5sHHHB", 0xFF, 0xEE, 14, b"Adobe", 100, 0, 0, 9)
    whole = pixels(tmp_path, sound)
    np.testing.assert_array_equal(pixels(tmp_path, later), whole)
    np.testing.assert_array_equal(pixels(tmp_path, sound[:2] + adobe + sound[2:]), whole)


def test_damage_is_no_less_an_error_beside_such_numbers(tmp_path: Path) -> None:
    """What libjpeg only warns of stops reading, as in a file by the letter."""
    refused = 0
    for seed in range(20):
        sound = bytearray(jpeg())
        at = scan_header(sound)
        rng = np.random.default_rng(seed)
        place = int(rng.integers(at + 3, len(sound) - 60))
        sound[place : place + 50] = rng.integers(0, 256, 50, dtype=np.uint8).tobytes()
        changed = sound[:at] + b"\1\0\7" + sound[at + 3 :]
        try:
            expected = pixels(tmp_path, bytes(sound))
        except PictureError:
            refused += 1
            with pytest.raises(PictureError):
                pixels(tmp_path, bytes(changed))
        else:
            np.testing.assert_array_equal(pixels(tmp_path, bytes(changed)), expected)
    assert refused > 1


@pytest.mark.parametrize("name", OPTIONS)
def test_a_sound_file_stays(name: str) -> None:
    assert mend_jpeg(jpeg(name), ends_itself=True) is None
    assert mend_jpeg(jpeg(name) + b"trailing", ends_itself=True) is None


@given(st.binary(max_size=300), st.integers(2, 400))
def test_any_bytes(data: bytes, place: int) -> None:
    sound = jpeg(frame=NOISE[:8, :8])
    mend_jpeg(b"\xff\xd8\xff" + data, ends_itself=True)
    mend_jpeg(sound[:place] + data + sound[place:], ends_itself=True)
    mend_jpeg(sound[:place] + data, ends_itself=True)


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("filling", [1, 2, 12])
def test_zeros_that_fill_up_a_scan(tmp_path: Path, name: str, filling: int) -> None:
    sound = jpeg(name)
    filled = sound[:-2] + bytes(filling) + sound[-2:]
    np.testing.assert_array_equal(pixels(tmp_path, filled), pixels(tmp_path, sound))


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("behind", [b"\xff\xdb", b"\xff\xc4", b"\xff\xda"])
def test_bytes_between_segments(tmp_path: Path, name: str, behind: bytes) -> None:
    sound = jpeg(name)
    at = sound.index(behind)
    odd = sound[:at] + b"between" + sound[at:]
    (tmp_path / "odd.jpg").write_bytes(odd)
    picture = read_picture(tmp_path / "odd.jpg")
    assert "7 bytes" in " ".join(map(str, picture.losses))
    np.testing.assert_array_equal(picture.frames, pixels(tmp_path, sound))
    damaged = bytearray(odd)
    start = damaged.index(b"\xff\xda") + 400
    damaged[start : start + 2] = b"\xff\xd9"
    (tmp_path / "odd.jpg").write_bytes(damaged)
    with pytest.raises(PictureError):  # the first warning hides no other
        read_picture(tmp_path / "odd.jpg")


def test_progressive_files_that_are_damaged_inside(tmp_path: Path) -> None:
    """Bytes that are left behind a scan's last block were taken for filling. Not all damage shows:
    the format has no checksum."""
    sound, refused = jpeg("progressive"), 0
    for seed in range(20):
        random, damaged = np.random.default_rng(seed), bytearray(sound)
        at = int(len(damaged) * random.uniform(0.4, 0.9))
        damaged[at : at + 30] = random.integers(1, 255, 30, np.uint8).tobytes()
        (tmp_path / "a.jpg").write_bytes(damaged)
        try:
            read_picture(tmp_path / "a.jpg")
        except PictureError:
            refused += 1
    assert refused >= 10


def test_few_bytes_behind_the_last_block(tmp_path: Path) -> None:
    sound = jpeg()
    odd = sound[:-2] + b"few" + sound[-2:]
    np.testing.assert_array_equal(pixels(tmp_path, odd), pixels(tmp_path, sound))


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("level", [0, 128, 200, 255])
@pytest.mark.parametrize("top", [0, 256], ids=["even", "half even"])
def test_data_that_end_in_zeros_are_no_filling(
    tmp_path: Path, name: str, level: int, top: int
) -> None:
    """Of even blocks whole bytes of a scan may be zeros, in refinements and by optimised tables."""
    options = {"quality": 90, "optimize": True, **OPTIONS[name]}
    for shape in ((512, 512), (512, 520, 3)):
        frame = np.full(shape, level, np.uint8)
        frame[:top] = np.random.default_rng(1).integers(0, 256, (top, *shape[1:]))
        stream = io.BytesIO()
        Image.fromarray(frame).save(stream, "JPEG", **options)
        np.testing.assert_allclose(pixels(tmp_path, stream.getvalue())[0, -1], level, atol=2)


class Watched(bytes):
    """Counts what is looked at."""

    looked = 0

    def __getitem__(self, key: Any) -> Any:  # noqa: ANN401
        found = super().__getitem__(key)
        self.looked += len(found) if isinstance(found, bytes) else 1
        return found


@pytest.mark.parametrize("piece", [b"\0\xff\x01", b"\xff\x01", b"\0\0\xff\xd0"])
def test_hostile_repetitions_are_not_looked_at_again_and_again(piece: bytes) -> None:
    file = Watched(b"\xff\xd8" + piece * 100_000)
    mend_jpeg(file, ends_itself=True)
    assert file.looked < 150 * len(file)

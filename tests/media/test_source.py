"""Sources of any kind, such as frames whose number nobody knows."""

import itertools
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samples import smooth
from subpixel.errors import LossError, PictureError
from subpixel.media.formats.registry import FORMATS
from subpixel.media.formats.tiff.tiff import TIFF
from subpixel.media.image_file import (
    EncodeOptions,
    PictureWriter,
    open_picture,
    read_picture,
    write_picture,
)
from subpixel.media.losses import Look, losses_of
from subpixel.media.picture import (
    Header,
    Picture,
    Rows,
    Source,
    read_frames,
    read_source,
)

HEIGHT, WIDTH = 50, 40
U8 = np.dtype(np.uint8)

STILL = [form for form in FORMATS if form.capacity.animation == "none"]
SEVERAL = [form for form in FORMATS if form.capacity.animation != "none"]


def frame(number: int) -> Rows:
    """Every one is another."""
    return np.full((HEIGHT, WIDTH, 3), number % 256, np.uint8)


@dataclass
class Film:
    """Frames as they come: without end, or as many as ``frames`` says without anyone knowing."""

    frames: int | None = None
    rows: int = 16
    count: int | None = None
    served: list[int] = field(default_factory=list)
    memory = 0

    @property
    def header(self) -> Header:
        return Header((self.count, HEIGHT, WIDTH, 3), U8)

    def chunks(self) -> Iterator[Rows]:
        for number in itertools.count() if self.frames is None else range(self.frames):
            self.served.append(number)
            for top in range(0, HEIGHT, self.rows):
                yield frame(number)[top : top + self.rows]


def test_files_pictures_and_films_are_sources(tmp_path: Path) -> None:
    write_picture(Picture(smooth(3)), tmp_path / "a.png")
    sources: list[Source] = [open_picture(tmp_path / "a.png"), Picture(smooth(3)), Film(frames=2)]
    assert [len(list(read_frames(source))) for source in sources] == [1, 1, 2]
    assert [source.header.count for source in sources] == [1, 1, None]
    assert np.array_equal(next(read_frames(sources[0])), smooth(3)[0])


def test_frames_without_end_come_one_at_a_time() -> None:
    """The first is out before the second is in, and what has gone is not held."""
    film = Film()
    frames = read_frames(film)
    assert np.array_equal(next(frames), frame(0))
    assert film.served == [0]
    tracemalloc.start()
    try:
        for number, seen in enumerate(itertools.islice(frames, 300), start=1):
            assert (seen == number % 256).all()
            assert film.served[-1] == number
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10 * frame(0).nbytes


@given(frames=st.integers(0, 4), rows=st.integers(1, HEIGHT + 9), known=st.booleans())
def test_frames_however_cut(frames: int, rows: int, known: bool) -> None:
    film = Film(frames, rows, frames if known and frames else None)
    seen = list(read_frames(film))
    assert len(seen) == frames
    assert all(np.array_equal(one, frame(i)) for i, one in enumerate(seen))


def test_a_frame_stays_as_it_is_when_the_next_comes() -> None:
    first, second = itertools.islice(read_frames(Film()), 2)
    assert np.array_equal(first, frame(0))
    assert np.array_equal(second, frame(1))


def test_only_a_known_number_of_frames_goes_into_memory() -> None:
    picture = read_source(Film(frames=3, count=3))
    assert np.array_equal(picture.frames, np.stack([frame(i) for i in range(3)]))
    with pytest.raises(PictureError, match="a picture in memory needs the number of frames"):
        read_source(Film())


@dataclass
class Pieces:
    """Chunks of so many rows, whatever the header says."""

    header: Header
    heights: list[int]
    memory = 0

    def chunks(self) -> Iterator[Rows]:
        for height in self.heights:
            yield np.zeros((height, *self.header.shape[2:]), self.header.dtype)


@pytest.mark.parametrize(
    ("count", "heights", "words"),
    [
        (None, [4, 3], "1 rows are missing"),
        (2, [4], "4 rows are missing"),
        (1, [3], "1 rows are missing"),
        (None, [3, 2], "2 rows came where 1 were left"),
        (1, [4, 2], "2 rows came where 0 were left"),
    ],
)
def test_sources_that_break_their_word(count: int | None, heights: list[int], words: str) -> None:
    pieces = Pieces(Header((count, 4, 5, 3), U8), heights)
    with pytest.raises(PictureError, match=words):
        list(read_frames(pieces))


@pytest.mark.parametrize(("heights", "words"), [([4, 1], "1 rows came"), ([3], "1 rows are")])
def test_memory_takes_what_was_announced(heights: list[int], words: str) -> None:
    with pytest.raises(PictureError, match=words):
        read_source(Pieces(Header((1, 4, 5, 3), U8), heights))


def test_what_is_left_of_a_picture() -> None:
    film, pair = Header((None, 10, 5, 3), U8), Header((2, 10, 5, 3), U8)
    assert [film.missing_rows(rows) for rows in (0, 1, 10, 13)] == [10, 9, 0, 7]
    assert [pair.missing_rows(rows) for rows in (0, 1, 10, 20)] == [20, 19, 10, 0]
    assert film.enlarge(3).shape == (None, 30, 15, 3)
    assert (film.count, pair.count, pair.expect_count("anyone")) == (None, 2, 2)


@pytest.mark.parametrize("form", SEVERAL, ids=lambda form: form.name)
def test_formats_of_several_frames_ask_how_many(tmp_path: Path, form) -> None:  # noqa: ANN001
    file = tmp_path / f"a{form.suffixes[0]}"
    with pytest.raises(PictureError, match=f"{form.name} needs the number of frames"):
        PictureWriter(Film().header, file)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", STILL, ids=lambda form: form.name)
def test_still_formats_take_the_first_of_any_number(tmp_path: Path, form) -> None:  # noqa: ANN001
    file = tmp_path / f"a{form.suffixes[0]}"
    film = Film(frames=3)
    with PictureWriter(film.header, file, EncodeOptions(quality=100).restrict(form)) as writer:
        for rows in film.chunks():
            writer.write(rows)
    assert [str(loss) for loss in writer.losses] == [
        f"frames: {form.name} holds one of the many; the first is kept"
    ]
    assert np.abs(read_picture(file).frames.astype(int) - frame(0)).max() <= 2


@pytest.mark.parametrize("rows", [0, 3, HEIGHT + 1])
def test_a_film_that_ends_within_a_frame_is_no_file(tmp_path: Path, rows: int) -> None:
    def write() -> None:
        with PictureWriter(Film().header, tmp_path / "a.jpg") as writer:
            for top in range(rows):
                writer.write(frame(0)[top % HEIGHT :][:1])

    with pytest.raises(ValueError, match=f"{HEIGHT - rows % HEIGHT} rows"):
        write()
    assert list(tmp_path.iterdir()) == []


def test_strict_refuses_the_frames_that_a_still_format_leaves_out(tmp_path: Path) -> None:
    with pytest.raises(LossError, match="frames"):
        PictureWriter(Film().header, tmp_path / "a.jpg", strict=True)


@pytest.mark.parametrize(
    "ask",
    [
        lambda film: losses_of(film.header, TIFF, Look(film.header, TIFF)),
        lambda film: film.header.expect_count("TIFF"),
    ],
)
def test_whoever_needs_the_number_says_so(ask: Callable[[Film], object]) -> None:
    with pytest.raises(PictureError, match="needs the number of frames before the first one"):
        ask(Film())

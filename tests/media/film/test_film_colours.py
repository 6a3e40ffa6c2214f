"""Colours of real files: bars through codec, container and reading; another converter as judge."""

import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from small_films import SmallFilm, av, write_small_film
from subpixel.errors import PictureError
from subpixel.media.film.conversion import encode_planes
from subpixel.media.film.facts import SITINGS, FilmColour, SampleLayout
from subpixel.media.film.frames import decode_film
from subpixel.media.film.planes import make_frame, read_planes
from subpixel.media.film.survey.survey import survey_film

BARS = np.array(
    [[1, 1, 1], [1, 1, 0], [0, 1, 1], [0, 1, 0], [1, 0, 1], [1, 0, 0], [0, 0, 1], [0, 0, 0]]
)
WEIGHTS = {6: (0.299, 0.114), 1: (0.2126, 0.0722), 9: (0.2627, 0.0593)}


def _code_bars(matrix: int, full: bool, bits: int) -> list[NDArray[np.generic]]:
    """Luma and chroma of bars at 75 %, 16 columns each, by the formulas: 4:4:4."""
    kr, kb = WEIGHTS[matrix]
    r, g, b = (BARS * 0.75).T
    luma = kr * r + (1 - kr - kb) * g + kb * b
    blue, red = (b - luma) / (2 - 2 * kb), (r - luma) / (2 - 2 * kr)
    unit, peak, middle = 2.0 ** (bits - 8), 2**bits - 1, 2 ** (bits - 1)
    if full:
        codes = [luma * peak, blue * peak + middle, red * peak + middle]
    else:
        codes = [(luma * 219 + 16) * unit, (blue * 224 + 128) * unit, (red * 224 + 128) * unit]
    dtype = np.uint8 if bits == 8 else np.uint16
    return [
        np.round(code).astype(dtype).repeat(16)[np.newaxis].repeat(32, axis=0) for code in codes
    ]


def _write_planes(
    file: Path, planes: list[NDArray[np.generic]], layout: SampleLayout, matrix: int, full: bool
) -> None:
    """Without loss, by FFV1, tagged."""
    frame = make_frame(planes, layout)
    with av.open(str(file), "w") as container:
        video = container.add_stream("ffv1", 25)
        height, width = planes[0].shape
        video.width, video.height, video.pix_fmt = width, height, frame.format.name
        context = video.codec_context
        context.colorspace, context.color_range = matrix, 1 + full
        frame.pts, frame.time_base = 0, Fraction(1, 25)
        container.mux(video.encode(frame))
        container.mux(video.encode(None))


@pytest.mark.parametrize("matrix", WEIGHTS)
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize(("across", "down"), [(1, 1), (2, 2)])
def test_bars_in_a_file_have_their_colours(
    tmp_path: Path, matrix: int, full: bool, bits: int, across: int, down: int
) -> None:
    planes = _code_bars(matrix, full, bits)
    planes = [planes[0], *(plane[::down, ::across] for plane in planes[1:])]
    layout = SampleLayout("yuv", bits, across, down)
    _write_planes(tmp_path / "bars.mkv", planes, layout, matrix, full)
    survey = survey_film(tmp_path / "bars.mkv")
    facts = survey.facts
    assert (facts.colour.matrix, facts.colour.full_range) == (matrix, full)
    assert facts.layout == layout
    (frame,) = decode_film(facts, survey.stream)
    rgb = frame.read(facts) / np.iinfo(np.uint8 if bits == 8 else np.uint16).max
    middle, peak = rgb[16, 8::16], 2**bits - 1
    assert np.abs(middle - BARS * 0.75).max() * peak <= _max_rounding(full)
    assert np.abs(rgb[:, 4:12] - 0.75).max() * peak <= 0.5 * 255 / 219 + 0.5, "white has no chroma"


def _max_rounding(full: bool) -> float:
    """Of RGB, in code values, where luma, chroma and the result are rounded by half a value each;
    blue of BT.2020 has 2 (1 - KB) of the chroma."""
    luma, chroma = (1.0, 1.0) if full else (255 / 219, 255 / 224)
    return 0.5 * luma + 0.5 * chroma * 2 * (1 - 0.0593) + 0.5


def test_what_isnt_said_is_guessed_by_lines_and_told(tmp_path: Path) -> None:
    small = survey_film(write_small_film(tmp_path / "small.mkv", SmallFilm(count=1))).facts
    assert (small.colour.matrix, small.colour.full_range) == (6, False)
    assert small.describe_guesses() == (
        "it doesn't say its matrix and range: taken as BT.601, limited range, as players do"
    )
    tall = SmallFilm(count=1, height=720, width=16)
    assert survey_film(write_small_film(tmp_path / "tall.mkv", tall)).facts.colour.matrix == 1
    tagged = SmallFilm(count=1, matrix=9, primaries=9, transfer=18, color_range=2)
    facts = survey_film(write_small_film(tmp_path / "tagged.mkv", tagged)).facts
    colour = facts.colour
    assert (colour.matrix, colour.primaries, colour.transfer, colour.full_range) == (9, 9, 18, True)
    assert colour.is_hdr
    assert facts.describe_guesses() is None


@pytest.mark.parametrize("siting", SITINGS)
def test_the_siting_is_read(tmp_path: Path, siting: str) -> None:
    film = SmallFilm(count=1, options={"chroma_sample_location": siting})
    facts = survey_film(write_small_film(tmp_path / "film.mp4", film)).facts
    assert facts.colour.siting == siting


def test_a_matrix_that_isnt_read_is_named(tmp_path: Path) -> None:
    film = SmallFilm(count=1, matrix=10)
    with pytest.raises(PictureError, match=r"BT\.2020 of constant luminance, which isn't read"):
        survey_film(write_small_film(tmp_path / "film.mp4", film))


@pytest.mark.parametrize(
    "name",
    ["nv12", "yuyv422", "p010le", "rgb24", "bgra", "rgb48le", "yuv420p10be", "gbrp", "gray"],
)
def test_each_way_to_store_them_gives_the_same_samples(name: str) -> None:
    """FFmpeg only moves samples from one way to the other here: nothing is computed."""
    from subpixel.media.film.planes import format_name, repack, sample_layout

    layout = sample_layout(name)
    random = np.random.default_rng(1)
    dtype = np.uint8 if layout.bits == 8 else np.uint16
    shape = (8, 16, layout.channels)
    colour = FilmColour(1, 1, 1, True)
    frame = random.integers(0, np.iinfo(dtype).max + 1, shape).astype(dtype)
    planes = encode_planes(frame, layout, colour)
    packed = repack(make_frame(planes, layout), name)
    assert packed.format.name == name
    for before, after in zip(planes, read_planes(packed, layout), strict=True):
        np.testing.assert_array_equal(before, after)
    assert format_name(layout) == make_frame(planes, layout).format.name


@pytest.mark.slow
def test_the_same_samples_each_time() -> None:
    """With threads of libswscale's own one frame of four thousand was another."""
    from subpixel.media.film.planes import repack, sample_layout

    layout = sample_layout("p010le")
    colour = FilmColour(1, 1, 1, True)
    frame = np.random.default_rng(1).integers(0, 65536, (8, 16, 3), np.uint16)
    planes = encode_planes(frame, layout, colour)
    for _ in range(20_000):
        packed = repack(make_frame(planes, layout), "p010le")
        for before, after in zip(planes, read_planes(packed, layout), strict=True):
            assert np.array_equal(before, after)


def _has_zscale() -> bool:
    if shutil.which("ffmpeg") is None:
        return False
    filters = subprocess.run(["ffmpeg", "-hide_banner", "-filters"], capture_output=True, text=True)
    return " zscale " in filters.stdout


@pytest.mark.slow
@pytest.mark.parametrize("siting", ["left", "center", "topleft"])
@pytest.mark.parametrize("matrix", WEIGHTS)
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("bits", [8, 10])
def test_as_zimg_converts(tmp_path: Path, siting: str, matrix: int, full: bool, bits: int) -> None:
    """zimg interpolates chroma linearly, too, and knows sitings, matrices and ranges."""
    if not _has_zscale():
        pytest.skip("no ffmpeg with zscale (zimg) is installed here")
    rows, columns = np.mgrid[:32, :64] / 64
    rgb = np.stack([columns, rows * 2, 1 - columns * rows], axis=-1) * 0.8 + 0.1
    dtype = np.uint8 if bits == 8 else np.uint16
    layout, colour = SampleLayout("yuv", bits, 2, 2), FilmColour(matrix, 1, 1, full, siting)
    planes = encode_planes(np.round(rgb * np.iinfo(dtype).max).astype(dtype), layout, colour)
    _write_planes(tmp_path / "film.mkv", planes, layout, matrix, full)
    names = {6: "170m", 1: "709", 9: "2020_ncl"}
    target = "gbrp" if bits == 8 else "gbrp16le"
    width = "full" if full else "limited"
    scale = (
        f"zscale=matrixin={names[matrix]}:rangein={width}:chromalin={siting}:matrix=gbr:range=full"
        ":filter=bilinear:dither=none,"
        f"format={target}"
    )
    raw = ("-f", "rawvideo", "-pix_fmt", target, "-")
    output = subprocess.run(
        [*("ffmpeg", "-v", "error", "-i"), tmp_path / "film.mkv", "-vf", scale, *raw],
        capture_output=True,
        check=True,
    ).stdout
    green, blue, red = np.frombuffer(output, dtype).reshape(3, 32, 64)
    other = np.stack([red, green, blue], axis=-1).astype(np.float64)
    facts = survey_film(tmp_path / "film.mkv").facts
    (frame,) = decode_film(facts, 0)
    ours = _decode_with(frame.read(facts), planes, layout, colour)
    unit = np.iinfo(dtype).max / (2**bits - 1)
    inner = (slice(2, -2), slice(2, -2))
    assert np.abs(ours - other)[inner].max() / unit <= 1.0


def _decode_with(
    frame: NDArray[np.generic],
    planes: list[NDArray[np.generic]],
    layout: SampleLayout,
    colour: FilmColour,
) -> NDArray[np.generic]:
    """FFV1 has no place for the siting: the file's planes by the siting that was meant."""
    from subpixel.media.film.conversion import decode_planes

    assert frame.shape == (32, 64, 3)
    return decode_planes(planes, layout, colour).astype(np.float64)

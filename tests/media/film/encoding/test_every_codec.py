"""Every codec into every container: it works, or is refused before the work, by name."""

from dataclasses import replace
from fractions import Fraction
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from rich_films import remake_film
from small_films import SmallFilm, av, read_frame_times, write_small_film
from subpixel.errors import PictureError
from subpixel.media.film.encoding.codecs import CODECS, codec_named
from subpixel.media.film.encoding.encoder import encode_segment, plan_encoder
from subpixel.media.film.facts import FilmColour, FilmFacts, SampleLayout
from subpixel.media.film.kinds import FILM_KINDS
from subpixel.media.film.survey.survey import survey_film

SOFTWARE = [codec.name for codec in CODECS if "_" not in codec.name]
MUXERS = {kind.muxer: kind.suffixes[0] for kind in FILM_KINDS if kind.muxer}
TAKERS = {
    "h264": ".mp4 .mov .mkv",
    "h265": ".mp4 .mov .mkv",
    "av1": ".mp4 .mkv .webm",
    "vp9": ".mp4 .mkv .webm",
    "prores": ".mov .mkv",
    "ffv1": ".mp4 .mkv",
}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_film(tmp_path_factory.mktemp("films") / "small.mp4")


@pytest.mark.parametrize(("codec", "muxer"), list(product(SOFTWARE, MUXERS)))
def test_every_codec_into_every_container(
    tmp_path: Path, source: Path, codec: str, muxer: str
) -> None:
    suffix = MUXERS[muxer]
    target = tmp_path / f"large{suffix}"
    if suffix not in TAKERS[codec].split():
        others = " or ".join(TAKERS[codec].split())
        with pytest.raises(PictureError, match=rf"{muxer} doesn't take {codec} video: .*{others}"):
            remake_film(source, target, muxer, codec)
        return
    assert [loss.what for loss in remake_film(source, target, muxer, codec)] == []
    assert read_frame_times(target) == read_frame_times(source)
    with av.open(str(target)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            pixels = frame.reformat(format="rgb24").to_ndarray()
            assert abs(float(np.mean(pixels)) - 40 * number) <= 6


COLOURED = {
    "full range": SmallFilm(
        count=2,
        matrix=9,
        primaries=9,
        transfer=14,
        color_range=2,
        options={"chroma_sample_location": "topleft"},
    ),
    "in the middle": SmallFilm(
        count=2,
        matrix=5,
        primaries=5,
        transfer=6,
        color_range=1,
        options={"chroma_sample_location": "center"},
    ),
}


@pytest.mark.parametrize("name", COLOURED)
@pytest.mark.parametrize("codec", SOFTWARE)
def test_colours_are_coded_as_the_film_says(tmp_path: Path, codec: str, name: str) -> None:
    """What a codec can't say, full range or a place of chroma, isn't what its samples are."""
    source = write_small_film(tmp_path / "small.mp4", COLOURED[name])
    before = survey_film(source).facts
    settings, _ = plan_encoder(codec_named(codec), before, 64, 96)
    for muxer, suffix in MUXERS.items():
        if suffix in TAKERS[codec].split():
            remake_film(source, tmp_path / f"large{suffix}", muxer, codec)
            after = survey_film(tmp_path / f"large{suffix}").facts
            assert after.colour == settings.colour
    kept = replace(settings.colour, siting=before.colour.siting)
    assert (kept == before.colour) == (codec != "prores" or not before.colour.full_range)


@pytest.mark.parametrize("codec", SOFTWARE)
def test_transparency_comes_back_or_is_named(tmp_path: Path, codec: str) -> None:
    clear = SmallFilm(count=2, codec="ffv1", pixel_format="yuva420p")
    source = write_small_film(tmp_path / "small.mkv", clear)
    for muxer, suffix in MUXERS.items():
        if suffix in TAKERS[codec].split():
            target = tmp_path / f"large{suffix}"
            lost = [loss.what for loss in remake_film(source, target, muxer, codec)]
            layout = survey_film(target).facts.layout
            assert layout.alpha != ("alpha" in lost), (muxer, lost)
            assert layout.alpha == (codec_named(codec).has_alpha and (codec, muxer) != LOST_ALPHA)


LOST_ALPHA = ("vp9", "mp4")
"""Its transparency is beside its packets, which MP4 doesn't know."""

CLEAR_LAYOUTS = [
    *(SampleLayout("yuv", bits, *step, True) for bits in (8, 10, 12) for step in [(2, 2), (2, 1)]),
    *(SampleLayout("yuv", bits, alpha=True) for bits in (8, 10, 12)),
    *(SampleLayout("rgb", bits, alpha=True) for bits in (8, 16)),
]


def _facts(layout: SampleLayout) -> FilmFacts:
    matrix = 0 if layout.family == "rgb" else 1
    return FilmFacts(
        file=Path("film.mov"),
        width=32,
        height=32,
        layout=layout,
        colour=FilmColour(matrix, 1, 1, layout.family == "rgb"),
        time_base=Fraction(1, 1200),
        rate=Fraction(4),
        is_variable=False,
        times=(0, 300),
        last_duration=300,
        aspect=Fraction(1),
    )


@pytest.mark.parametrize("name", SOFTWARE)
def test_transparency_is_encoded_or_named_as_lost(name: str) -> None:
    """Encoders name formats that they can't be opened for."""
    for layout in CLEAR_LAYOUTS:
        settings, losses = plan_encoder(codec_named(name), _facts(layout), 64, 64)
        assert settings.layout.alpha == codec_named(name).has_alpha
        assert ("alpha" in [loss.what for loss in losses]) != settings.layout.alpha
        dtype = np.uint8 if settings.layout.bits == 8 else np.uint16
        frame = np.zeros((64, 64, settings.layout.channels), dtype)
        assert len(encode_segment(settings, [(0, frame)]).packets) == 1


def test_encoders_that_leave_transparency_out_get_none() -> None:
    """Those of hardware take formats with a fourth channel."""
    clear = _facts(SampleLayout("rgb", 8, alpha=True))
    names = [codec.name for codec in CODECS if "_" in codec.name]
    available = [n for n in names if codec_named(n).encoder in av.codecs_available]
    for name in available:
        settings, losses = plan_encoder(codec_named(name), replace(clear), 64, 64)
        assert not settings.layout.alpha
        assert "alpha" in [loss.what for loss in losses]

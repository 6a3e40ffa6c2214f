"""What a film is: the facts of its picture, as frozen values.

The numbers of matrix, primaries and transfer are those of ITU-T H.273, which all codecs and
containers use.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal

from subpixel.errors import PictureError

Family = Literal["yuv", "rgb", "grey"]

UNSPECIFIED = 2
"""The number for what a film doesn't say."""

IDENTITY, BT709, BT470BG, BT601, BT2020 = 0, 1, 5, 6, 9
"""Of matrices; BT.470BG and BT.601 are one matrix."""

LUMA_OF_MATRIX: Mapping[int, tuple[float, float]] = {
    BT709: (0.2126, 0.0722),
    4: (0.30, 0.11),
    BT470BG: (0.299, 0.114),
    BT601: (0.299, 0.114),
    7: (0.212, 0.087),
    BT2020: (0.2627, 0.0593),
}
"""The weights of red and blue in luma, by the number of the matrix (H.273, table 4)."""

MATRIX_NAMES: Mapping[int, str] = {
    IDENTITY: "RGB",
    BT709: "BT.709",
    4: "FCC",
    BT470BG: "BT.601",
    BT601: "BT.601",
    7: "SMPTE 240M",
    8: "YCgCo",
    BT2020: "BT.2020",
    10: "BT.2020 of constant luminance",
    14: "ICtCp",
}

BT2020_PRIMARIES = 9
PQ, HLG = 16, 18
"""Of transfers with high dynamic range."""

HD_LINES = 720
"""From so many lines on a film that doesn't say its matrix is taken for BT.709."""

SITINGS: Mapping[str, tuple[float, float]] = {
    "left": (0.0, 0.5),
    "center": (0.5, 0.5),
    "topleft": (0.0, 0.0),
    "top": (0.5, 0.0),
    "bottomleft": (0.0, 1.0),
    "bottom": (0.5, 1.0),
}
"""Where the sample of chroma lies among the samples of luma that share it: across and down, as a
share of the way from the first of them to the last."""


@dataclass(frozen=True)
class SampleLayout:
    """How the samples of a frame lie: planes of one integer each, for luma, chroma and alpha."""

    family: Family
    bits: int
    across: int = 1
    """Columns of luma for one of chroma: 1, 2 or 4."""
    down: int = 1
    """The same of rows."""
    alpha: bool = False

    @property
    def channels(self) -> int:
        """Of the picture: 1 to 4."""
        return (1 if self.family == "grey" else 3) + self.alpha

    @property
    def planes(self) -> int:
        """How many there are: as many as channels."""
        return self.channels

    @property
    def chroma(self) -> str:
        """For people: 4:2:0 and the like."""
        if self.family != "yuv":
            return {"rgb": "RGB", "grey": "grey"}[self.family]
        names = {(1, 1): "4:4:4", (2, 1): "4:2:2", (2, 2): "4:2:0", (4, 1): "4:1:1"}
        return names.get((self.across, self.down), "4:1:0")


@dataclass(frozen=True)
class FilmColour:
    """What the numbers of a frame mean."""

    matrix: int
    primaries: int
    transfer: int
    full_range: bool
    """Whether black and white are the ends of the scale; else 16 and 235 of 8 bits."""
    siting: str = "left"
    """A key of :data:`SITINGS`."""
    guesses: tuple[str, ...] = ()
    """What of it the film doesn't say."""

    @property
    def is_hdr(self) -> bool:
        """Whether its transfer is one of high dynamic range."""
        return self.transfer in (PQ, HLG)

    @property
    def gamut(self) -> str:
        """What takes more than a matrix to be brought to another."""
        light = {PQ: "PQ", HLG: "HLG"}.get(self.transfer, "SDR")
        return f"{'BT.2020' if self.primaries == BT2020_PRIMARIES else 'BT.709'} and {light}"

    def __str__(self) -> str:
        width = "full" if self.full_range else "limited"
        return f"{MATRIX_NAMES.get(self.matrix, self.matrix)}, {width} range"


@dataclass(frozen=True)
class ColourTags:
    """What a film says of its colours; None, and 2: nothing."""

    matrix: int = UNSPECIFIED
    primaries: int = UNSPECIFIED
    transfer: int = UNSPECIFIED
    full_range: bool | None = None
    siting: str | None = None


def settle_colour(tags: ColourTags, layout: SampleLayout, height: int) -> FilmColour:
    """The colours of a film of ``height`` lines: as it says, else as players take them: BT.601
    below 720 lines, BT.709 from there on, limited range, chroma to the left.

    Raises :class:`PictureError` for a matrix whose colours aren't a matrix of red, green and blue.
    """
    matrix = IDENTITY if layout.family == "rgb" else _settle_matrix(tags.matrix, height)
    primaries = _settle(tags.primaries, {BT709: 1, BT2020: 9}.get(matrix, _sd_primaries(height)))
    transfer = _settle(tags.transfer, {BT709: 1, BT2020: 14}.get(matrix, 6))
    if layout.family == "rgb":
        primaries, transfer = _settle(tags.primaries, 1), _settle(tags.transfer, 13)
    full = tags.full_range if tags.full_range is not None else layout.family == "rgb"
    stated = {
        "matrix": layout.family != "yuv" or tags.matrix not in (UNSPECIFIED, IDENTITY),
        "range": layout.family == "rgb" or tags.full_range is not None,
    }
    guesses = tuple(name for name, is_stated in stated.items() if not is_stated)
    return FilmColour(matrix, primaries, transfer, full, tags.siting or "left", guesses)


def follow_tags(colour: FilmColour, tags: ColourTags, layout: SampleLayout) -> FilmColour:
    """``colour``, and what a frame's own ``tags`` say otherwise.

    Raises :class:`PictureError` for a matrix whose colours aren't a matrix of red, green and blue.
    """
    is_matrix_stated = layout.family == "yuv" and tags.matrix not in (UNSPECIFIED, IDENTITY)
    return replace(
        colour,
        matrix=_settle_matrix(tags.matrix, 0) if is_matrix_stated else colour.matrix,
        primaries=_settle(tags.primaries, colour.primaries),
        transfer=_settle(tags.transfer, colour.transfer),
        full_range=colour.full_range if tags.full_range is None else tags.full_range,
    )


def _settle_matrix(matrix: int, height: int) -> int:
    if matrix in (UNSPECIFIED, IDENTITY):
        return BT709 if height >= HD_LINES else BT601
    if matrix not in LUMA_OF_MATRIX:
        name = MATRIX_NAMES.get(matrix, f"number {matrix}")
        raise PictureError(
            f"its colours are coded by the matrix {name}, which isn't read; convert it to BT.709 "
            "or BT.2020 (non-constant luminance) first"
        )
    return matrix


def _sd_primaries(height: int) -> int:
    """625 lines are of Europe."""
    return 5 if height == 576 else 6


def _settle(tag: int, guess: int) -> int:
    return guess if tag in (UNSPECIFIED, 0) else tag


@dataclass(frozen=True)
class MasteringDisplay:
    """The screen on which a film was graded (SMPTE ST 2086)."""

    red: tuple[Fraction, Fraction]
    """CIE x and y."""
    green: tuple[Fraction, Fraction]
    blue: tuple[Fraction, Fraction]
    white: tuple[Fraction, Fraction]
    max_luminance: Fraction
    """In candela per square metre."""
    min_luminance: Fraction


@dataclass(frozen=True)
class ContentLight:
    """How bright a film gets (CTA-861.3), in candela per square metre."""

    max_content: int
    max_frame_average: int


@dataclass(frozen=True)
class FilmFacts:
    """A film's video, its streams beside it left out."""

    file: Path
    width: int
    height: int
    layout: SampleLayout
    colour: FilmColour
    time_base: Fraction
    """Seconds of one tick of a timestamp."""
    rate: Fraction
    """Frames a second: exact, or about, where it is variable."""
    is_variable: bool
    """Whether frames stand for different times."""
    times: tuple[int, ...]
    """The timestamp of each frame, ascending, in ticks."""
    last_duration: int
    """How long the last frame stands, in ticks."""
    aspect: Fraction
    """Width of a pixel by its height."""
    display_matrix: tuple[int, ...] = ()
    """Nine numbers, of the container, that turn the frames upright; empty: they are."""
    rotation: int = 0
    """By so many degrees a player turns the frames."""
    interlaced: bool = False
    tells_fields: bool = False
    """Whether frames say by themselves that they are interlaced; else the header alone does."""
    are_times_counted: bool = False
    """Whether frames have no timestamps of their own, and ``times`` are those of their order."""
    keys: tuple[int, ...] = ()
    """The timestamps of the frames that the container has as key frames, ascending."""
    mastering: MasteringDisplay | None = None
    light: ContentLight | None = None

    @property
    def count(self) -> int:
        """How many frames the file's packets hold."""
        return len(self.times)

    @property
    def seconds(self) -> float:
        """Of all frames."""
        if not self.times:
            return 0.0
        return float((self.times[-1] + self.last_duration - self.times[0]) * self.time_base)

    def describe_guesses(self) -> str | None:
        """What was taken for granted of the colours, in a line; None: the film says it all."""
        if not self.colour.guesses:
            return None
        what = " and ".join(self.colour.guesses)
        return f"it doesn't say its {what}: taken as {self.colour}, as players do"


def is_steady(times: Sequence[int], rate: Fraction, time_base: Fraction) -> bool:
    """Whether timestamps, ascending, are those of a constant ``rate``, as exact as ticks are."""
    if len(times) < 2 or not rate:
        return True
    step = 1 / (rate * time_base)
    return all(abs(tick - times[0] - n * step) <= 1 for n, tick in enumerate(times))

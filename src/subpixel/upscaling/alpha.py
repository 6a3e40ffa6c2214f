"""Transparency on its way through a network: no fringes, and opaque stays opaque.

Colour and alpha go through the network apart. Multiplying colour by alpha first and dividing it
out again would be exact for a linear filter only; a network leaves a rim around every shape. So
the colour that transparent pixels hide is replaced with that of the visible ones around them: the
shape's edge is then in alpha alone, and the network sees no edge in colour.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, cast, get_args

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from subpixel.errors import UsageError
from subpixel.media.picture import FULL_SCALE, Header, Picture, Rows, Source
from subpixel.runtime.op import Pixels, Samples

AlphaMode = Literal["repaint", "straight"]
"""What becomes of the colours that transparent pixels hide: those of the visible pixels around them
take their place, or every channel counts as it is, as in a game's texture."""

REACH = 1
"""Input pixels on each side that bound what alpha can be between them."""


def expect_alpha_mode(mode: str) -> AlphaMode:
    """``mode`` again; raises :class:`UsageError` for an unknown one."""
    for known in get_args(AlphaMode):
        if mode == known:
            return cast(AlphaMode, known)
    raise UsageError(f"alpha is {mode!r}; it is {' or '.join(map(repr, get_args(AlphaMode)))}")


@dataclass(frozen=True)
class TextureSource:
    """A :class:`~subpixel.media.picture.Source` whose transparency hides no colours."""

    source: Source
    header: Header

    @property
    def memory(self) -> int:
        return self.source.memory

    def chunks(self) -> Iterator[Rows]:
        return self.source.chunks()


def treat_alpha(source: Source, mode: AlphaMode) -> Source:
    """``source``, or with ``"straight"`` the same with alpha that is a channel like the others; a
    picture or an open file stays one."""
    if mode == "repaint" or not source.header.has_alpha:
        return source
    header = replace(source.header, extras=("independent alpha",))
    if isinstance(source, Picture):
        return replace(source, extras=header.extras)
    from subpixel.media.reading import PictureFile  # libvips isn't loaded for what is no file

    if isinstance(source, PictureFile):
        return replace(source, header=header)
    return TextureSource(source, header)


SURVEY_ROWS = 64
"""Side of the squares of pixels between which :class:`Survey` remembers but one colour each."""

SURVEY_COLUMNS = 64 * SURVEY_ROWS
"""Columns that are pulled and pushed at a time, in float32."""


class Survey:
    """What must be known of a whole picture before its first row can be repainted: little.

    Every pixel keeps its colour as far as it is opaque; the rest comes from its neighbourhood,
    the nearer and the more opaque the more (pull-push: S. Gortler et al., "The Lumigraph",
    SIGGRAPH 1996, section 3.4). Alpha is left as it is.

    Pull-push halves the picture again and again, in squares that are aligned and do not overlap.
    So a band of :data:`SURVEY_ROWS` rows can be pulled up to one row of the coarse picture by
    itself, and pushed down again by itself: all bands go through :meth:`at` once, in order, and
    then once more through :meth:`bleed`. Only the last band may have fewer rows. A wide band goes
    :data:`SURVEY_COLUMNS` at a time, which are whole squares too.
    """

    def __init__(self, height: int, width: int) -> None:
        self._levels = min(SURVEY_ROWS.bit_length() - 1, (max(height, width) - 1).bit_length())
        self._size = -(-height // SURVEY_ROWS), -(-width // 2**self._levels)
        self._coarse: _Layer | None = None
        self._bands = 0
        self.opaque = True
        """Whether no pixel so far lets anything through."""

    def at(self, band: Samples) -> None:
        """Take in the next rows."""
        full = FULL_SCALE[band.dtype]
        self.opaque = self.opaque and bool((band[..., -1] >= full).all())
        coarse = [_pull(_weigh_colour(part), self._levels)[-1] for part in _cut_columns(band)]
        if self._coarse is None:
            self._coarse = _make_layer(*self._size, band.shape[-1] - 1)
        for plane, parts in zip(self._coarse, zip(*coarse, strict=True), strict=True):
            np.concatenate(parts, axis=1, out=plane[self._bands : self._bands + 1])
        self._bands += 1

    def bleed(self, bands: Iterable[Samples]) -> Iterator[Samples]:
        """The same rows again, and what becomes of them."""
        if self._coarse is None:
            raise ValueError("no band went through at(), which all do before they are repainted")
        behind = _fill_colour(self._coarse)
        for number, band in zip(range(self._bands), bands, strict=True):
            yield self._repaint_band(band, behind[number : number + 1])

    def _repaint_band(self, band: Samples, behind: Pixels) -> Samples:
        result, squares = np.empty_like(band), SURVEY_COLUMNS // 2**self._levels
        for number, (part, room) in enumerate(
            zip(_cut_columns(band), _cut_columns(result), strict=True)
        ):
            layers = _pull(_weigh_colour(part), self._levels)[:-1]
            colour = _push(layers, behind[:, number * squares : (number + 1) * squares])
            room[:] = _repaint(part, colour)
        return result


class Painted(Survey):
    """Of a picture whose hidden colour was replaced already, and is so far ``opaque`` or not."""

    def __init__(self, *, opaque: bool) -> None:
        self.opaque = opaque

    def bleed(self, bands: Iterable[Samples]) -> Iterator[Samples]:
        """The rows as they are."""
        return iter(bands)


_Layer = tuple[Pixels, Pixels]
"""Colour times alpha, ``(h, w, C - 1)``, and alpha, ``(h, w, 1)``."""


def _make_layer(height: int, width: int, colours: int) -> _Layer:
    planes = (np.empty((height, width, channels), np.float32) for channels in (colours, 1))
    colour, weight = planes
    return colour, weight


def _cut_columns(band: Samples) -> Iterator[Samples]:
    lefts = range(0, band.shape[1], SURVEY_COLUMNS)
    return (band[:, left : left + SURVEY_COLUMNS] for left in lefts)


def _weigh_colour(samples: Samples) -> _Layer:
    pixels = samples.astype(np.float32) / np.float32(FULL_SCALE[samples.dtype])
    alpha = pixels[..., -1:]
    return pixels[..., :-1] * alpha, alpha


def _repaint(samples: Samples, colour: Pixels) -> Samples:
    colour = colour * np.float32(FULL_SCALE[samples.dtype])
    result = samples.copy()
    result[..., :-1] = colour if samples.dtype == np.float32 else np.rint(colour)
    return result


def _pull(finest: _Layer, levels: int) -> list[_Layer]:
    """The layer and so many above it, each of half the height and width."""
    layers = [finest]
    for _ in range(levels):
        colour, weight = layers[-1]
        total = _halve(weight)
        share = np.divide(np.minimum(total, 1), total, out=total * 0, where=total > 0)
        layers.append((_halve(colour) * share, total * share))
    return layers


def _push(layers: Sequence[_Layer], behind: Pixels) -> Pixels:
    """The colour of the first layer where it is opaque, and through it what lies behind them."""
    for colour, weight in reversed(layers):
        height, width = weight.shape[:2]
        behind = colour + (1 - weight) * behind.repeat(2, 0).repeat(2, 1)[:height, :width]
    return behind


def _fill_colour(layer: _Layer) -> Pixels:
    """Colour for every pixel of a whole picture."""
    levels = (max(layer[1].shape[:2]) - 1).bit_length()
    *layers, (colour, weight) = _pull(layer, levels)
    return _push(layers, np.divide(colour, weight, out=colour * 0, where=weight > 0))


def _halve(pixels: Pixels) -> Pixels:
    """Sums over squares of two by two; zeros beyond an odd edge."""
    height, width = pixels.shape[:2]
    even = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)))
    # Added in one order whatever the shape: a band comes out as the same rows of the whole do.
    upper, lower = even[0::2, 0::2] + even[0::2, 1::2], even[1::2, 0::2] + even[1::2, 1::2]
    return np.asarray(upper + lower)


def limit_alpha(coverage: Samples, alpha: Samples) -> Samples:
    """Enlarged alpha kept within what ``alpha``, ``(N, 1, H, W)`` of the same dtype, has around
    each pixel.

    A network's 0.998 is no opacity, and its overshoot beside an edge would be a faint rim.
    """
    scale = coverage.shape[2] // alpha.shape[2]
    lowest, highest = (_neighbourhood(alpha, extreme) for extreme in (np.min, np.max))
    return np.clip(coverage, _enlarge(lowest, scale), _enlarge(highest, scale))


def _neighbourhood(alpha: Samples, extreme: Callable[..., Samples]) -> Samples:
    side = 2 * REACH + 1
    padded = np.pad(alpha, ((0, 0), (0, 0), (REACH, REACH), (REACH, REACH)), mode="edge")
    along_rows = extreme(sliding_window_view(padded, side, axis=2), axis=-1)
    return extreme(sliding_window_view(along_rows, side, axis=3), axis=-1)


def _enlarge(pixels: Samples, scale: int) -> Samples:
    return pixels.repeat(scale, axis=2).repeat(scale, axis=3)

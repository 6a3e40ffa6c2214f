"""What is to be done with a film, settled before the first frame goes through the network."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import LossError, PictureError, PictureTooLargeError, UsageError
from subpixel.jobs.film.options import FilmOptions
from subpixel.jobs.options import JobOptions
from subpixel.jobs.outputs import Job
from subpixel.media.film.conversion import sample_dtype
from subpixel.media.film.encoding.codecs import default_codec
from subpixel.media.film.encoding.encoder import EncoderSettings, encode_segment, plan_encoder
from subpixel.media.film.encoding.target import FilmSpan, MuxPlan
from subpixel.media.film.encoding.trial import plan_muxing
from subpixel.media.film.facts import FilmFacts
from subpixel.media.film.frames import film_header, look_ahead
from subpixel.media.film.kinds import FILM_TARGETS, film_kind_of
from subpixel.media.film.survey.survey import survey_film
from subpixel.media.image_file import DEFAULT_MAX_PIXELS
from subpixel.media.picture import Loss
from subpixel.upscaling.size.enlargement import Enlargement
from subpixel.upscaling.upscaler import Upscaler

SEGMENT_SECONDS = 5
"""Of film, about, that are lost at most when a run is killed; a key frame begins each."""


@dataclass(frozen=True)
class FilmPlan:
    """A film on its way."""

    source: Path
    facts: FilmFacts
    video: int
    way: Enlargement
    settings: EncoderSettings
    muxing: MuxPlan
    segments: tuple[tuple[int, ...], ...]
    """The times of the frames of each, in ticks."""
    deinterlace: bool
    losses: tuple[Loss, ...]
    notes: tuple[str, ...]
    """What a user may not expect, a line each."""

    @property
    def count(self) -> int:
        """How many frames become larger."""
        return sum(map(len, self.segments))


def plan_film(
    upscaler: Upscaler, job: Job, options: JobOptions, max_pixels: int = DEFAULT_MAX_PIXELS
) -> FilmPlan:
    """Look at the film, and try encoder and container.

    Raises :class:`PictureError` for a film that can't be read, or is interlaced where that isn't
    allowed for, :class:`LossError` where something would be lost and ``options`` are strict,
    :class:`UsageError` for an option that means nothing, and
    :class:`~subpixel.errors.ProviderError` for an encoder that can't be had.
    """
    kind = film_kind_of(job.target.suffix)
    if kind is None or kind.muxer is None:
        allowed = ", ".join(sorted(FILM_TARGETS))
        raise UsageError(f"{job.target}: a film is written as one of {allowed}; name one of them")
    film, survey = options.film, survey_film(job.source)
    facts = survey.facts
    _expect_progressive(facts, film)
    _expect_small_enough(facts, max_pixels)
    way = upscaler.enlargement(film_header(facts), options.size)
    codec = film.codec or default_codec(
        kind.muxer, bits=facts.layout.bits, alpha=facts.layout.alpha
    )
    whole = way.header(film_header(facts))
    settings, codec_losses = plan_encoder(
        codec, facts, whole.height, whole.width, crf=film.crf, preset=film.preset
    )
    settings, cut = _make_even(settings)
    span = _settle_span(facts, film)
    if span is None:
        look_ahead(facts, survey.stream, deinterlace=film.deinterlace)
    sample = encode_segment(settings, [(0, _black(settings))])
    muxing = plan_muxing(facts, survey.stream, settings, kind.muxer, sample, span)
    losses = (*survey.losses, *codec_losses, *muxing.losses)
    if options.strict and losses:
        raise LossError(f"{job.target} would lose {'; '.join(map(str, losses))}")
    notes = tuple(filter(None, (way.note, cut, facts.describe_guesses())))
    return FilmPlan(
        job.source,
        facts,
        survey.stream,
        way,
        settings,
        muxing,
        _cut_segments(facts, span),
        film.deinterlace,
        losses,
        notes,
    )


def _expect_progressive(facts: FilmFacts, film: FilmOptions) -> None:
    if facts.interlaced and not film.deinterlace:
        raise PictureError(
            f"{facts.file} is interlaced: each frame is two half pictures of different moments, "
            "which a network would fuse; use --deinterlace to make whole ones of them first"
        )


def _expect_small_enough(facts: FilmFacts, max_pixels: int) -> None:
    if facts.width * facts.height > max_pixels:
        raise PictureTooLargeError(
            f"{facts.file} has frames of {facts.width} x {facts.height} pixels, more than "
            f"{max_pixels:,}; raise --max-pixels (max_pixels in Python) to read it anyway"
        )


def _make_even(settings: EncoderSettings) -> tuple[EncoderSettings, str | None]:
    """With as many columns and rows as chroma takes, and what is cut off for it, in a line."""
    layout = settings.layout
    width = settings.width - settings.width % layout.across
    height = settings.height - settings.height % layout.down
    if (width, height) == (settings.width, settings.height):
        return settings, None
    line = (
        f"{settings.width} x {settings.height} becomes {width} x {height}: {layout.chroma} takes "
        "even sides"
    )
    return replace(settings, width=width, height=height), line


def _settle_span(facts: FilmFacts, film: FilmOptions) -> FilmSpan | None:
    if film.preview is None:
        return None
    first = facts.times[0] * facts.time_base
    start = first + film.preview.start
    if start > facts.times[-1] * facts.time_base:
        raise UsageError(
            f"--preview begins at {float(film.preview.start):g} s, and {facts.file} ends after "
            f"{facts.seconds:.1f} s"
        )
    return FilmSpan(start, start + film.preview.seconds)


def _cut_segments(facts: FilmFacts, span: FilmSpan | None) -> tuple[tuple[int, ...], ...]:
    times = facts.times
    if span is not None:
        times = tuple(t for t in times if span.start <= t * facts.time_base < span.end)
    size = max(1, round(SEGMENT_SECONDS * facts.rate))
    return tuple(times[at : at + size] for at in range(0, len(times), size))


def _black(settings: EncoderSettings) -> NDArray[np.generic]:
    layout = settings.layout
    return np.zeros((settings.height, settings.width, layout.channels), sample_dtype(layout))

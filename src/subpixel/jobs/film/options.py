"""How films are read and written."""

from dataclasses import dataclass, fields
from fractions import Fraction

from subpixel.media.film.encoding.codecs import VideoCodec


@dataclass(frozen=True)
class Preview:
    """A part of a film."""

    seconds: Fraction
    """How long it is."""
    start: Fraction = Fraction(0)
    """Seconds after the film's first frame."""


@dataclass(frozen=True)
class FilmOptions:
    """How every film is read and written; None: the default of the codec or the container."""

    codec: VideoCodec | None = None
    crf: int | None = None
    """Constant quality, in the codec's own scale."""
    preset: str | None = None
    deinterlace: bool = False
    preview: Preview | None = None

    @property
    def changes(self) -> tuple[str, ...]:
        """The names of the fields that aren't as by default."""
        default = FilmOptions()
        names = (field.name for field in fields(self))
        return tuple(name for name in names if getattr(self, name) != getattr(default, name))


DEFAULT_FILM_OPTIONS = FilmOptions()

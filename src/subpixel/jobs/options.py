"""How the inputs of a job are read and written, one like the other."""

from dataclasses import dataclass, field

from subpixel.jobs.film.options import DEFAULT_FILM_OPTIONS, FilmOptions
from subpixel.media.image_file import EncodeOptions
from subpixel.upscaling.size.target_size import TargetSize


@dataclass(frozen=True)
class JobOptions:
    """How every picture is read and written."""

    encode: EncodeOptions = field(default_factory=EncodeOptions)
    """What of it means nothing for a file's format is left out there."""
    strict: bool = False
    overwrite: bool = False
    max_memory: int | None = None
    """Bytes that the process may hold; None: half of what is free."""
    size: TargetSize | None = None
    """What pictures become; None: so many times as large as the network makes them."""
    keep_date: bool = False
    """Whether results take their inputs' dates of access and change."""
    film: FilmOptions = DEFAULT_FILM_OPTIONS
    """What holds for films alone."""

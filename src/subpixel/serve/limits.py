"""What the server takes: sizes, times, memory."""

from dataclasses import dataclass, fields
from typing import Annotated, get_type_hints

from subpixel.errors import UsageError
from subpixel.strict_json import Within

MAX_NUMBER = 1 << 50


@dataclass(frozen=True)
class ServerLimits:
    """Raises :class:`UsageError` for a number outside its bounds."""

    max_body: Annotated[int, Within(1, MAX_NUMBER)] = 64 << 20
    """Bytes of a request's body; a larger one gets 413 before it is read."""
    max_pixels: Annotated[int, Within(1, MAX_NUMBER)] = 50_000_000
    """Width × height × frames of an input, looked at before its pixels are decoded."""
    max_output_pixels: Annotated[int, Within(1, MAX_NUMBER)] = 500_000_000
    """The same of a result."""
    max_frames: Annotated[int, Within(1, MAX_NUMBER)] = 500
    jobs: Annotated[int, Within(1, 64)] = 2
    """Requests that are computed at a time; they share the processor's cores."""
    queue: Annotated[int, Within(0, 10_000)] = 16
    """Requests that wait beside them; a further one gets 429."""
    seconds: Annotated[float, Within(0.1, 86_400)] = 120.0
    """Of work on one request, waiting not included."""
    transfer_seconds: Annotated[float, Within(0.1, 86_400)] = 120.0
    """In which a body must have come, and in which an answer must be taken."""
    idle_seconds: Annotated[float, Within(0.1, 3600)] = 10.0
    """Without a byte of a request's head or body, after which it ends."""
    connections: Annotated[int, Within(1, 100_000)] = 256
    """Open at a time; a further one gets 503."""

    def __post_init__(self) -> None:
        for each in fields(self):
            bounds, value = bounds_of(each.name), getattr(self, each.name)
            if not bounds.min <= value <= bounds.max:
                raise UsageError(
                    f"{each.name} is {value}; it is a number of {bounds.min:g} to {bounds.max:g}"
                )


def bounds_of(name: str) -> Within:
    """What a field of :class:`ServerLimits` may be."""
    bounds = get_type_hints(ServerLimits, include_extras=True)[name].__metadata__[0]
    assert isinstance(bounds, Within)
    return bounds

"""What a service has to know of the pieces that it turns into others."""

from dataclasses import dataclass

MAX_MAP = 1 << 27
"""Most bytes of an enlarged gain map."""


@dataclass(frozen=True)
class RowForm:
    """Rows whose profile is to be applied."""

    width: int
    channels: int
    colours: int
    """1, grey, or 3."""
    sample_bytes: int
    """1 or 2."""

    @property
    def numbers(self) -> tuple[float, ...]:
        """As a job has them."""
        return self.width, self.channels, self.colours, self.sample_bytes


@dataclass(frozen=True)
class MapForm:
    """A gain map, and the picture that it grows with."""

    width: int
    height: int
    quality: int
    map_width: int
    map_height: int
    region: tuple[float, float, float, float]

    @property
    def numbers(self) -> tuple[float, ...]:
        """As a job has them."""
        return (
            *(self.width, self.height, self.quality, self.map_width, self.map_height),
            *self.region,
        )

"""What counts as a flat area of a picture, for one network."""

from dataclasses import dataclass
from typing import Annotated

from subpixel.strict_json import Within


@dataclass(frozen=True)
class Flatness:
    """What passes for flat, and how far interpolation was from the network on such blocks."""

    span: Annotated[int, Within(0, 255)]
    """Code values of 8 bits between the darkest and the brightest sample of any one channel."""
    bound: Annotated[float, Within(0, 255)]
    """The greatest difference that was measured, in code values of 8 bits."""

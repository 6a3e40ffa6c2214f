"""Which strength of the family gives the highest PSNR at which compression.

Fitted on photographs that no network of the family was trained on
(``benchmarks/jpeg_quality.py --photos``).
"""

from bisect import bisect_right
from collections.abc import Sequence

from subpixel.media.compression.jpeg_seams import JpegSeams
from subpixel.media.compression.read import Compression

JPEG_STRENGTHS = ((0, 1.0), (81, 0.75), (91, 0.5), (94, 0.25), (98, 0.0))
"""From which libjpeg quality on each strength is the best."""

WEBP_STRENGTHS = ((0, 0.0), (8, 0.25), (17, 0.5), (27, 0.75), (48, 1.0))
"""From which of VP8's quantiser indices on each strength is the best."""

AV1_STRENGTHS = ((0, 0.0), (14, 0.25), (72, 0.5), (92, 0.75), (126, 1.0))
"""From which of AV1's base quantiser indices on each strength is the best."""

SEAM_STRENGTHS = (
    (4.6, ((0.0, 0.0), (0.08, 0.25), (0.2, 0.5), (0.25, 0.75))),
    (6.6, ((0.0, 0.5), (0.11, 0.75), (0.25, 1.0))),
    (8.0, ((0.0, 0.5), (0.05, 0.75), (0.09, 1.0))),
)
"""For JPEGs that were made smaller: up to which period of their seams, from which contrast on."""


def strength_for(compression: Compression) -> float:
    """The strength for what a file says, or what its pixels show; 0 where that is nothing."""
    strengths = [0.0]
    if compression.jpeg_quality is not None:
        strengths.append(_find_step(JPEG_STRENGTHS, compression.jpeg_quality))
    if compression.webp_quantizer is not None:
        strengths.append(_find_step(WEBP_STRENGTHS, compression.webp_quantizer))
    if compression.av1_quantizer is not None:
        strengths.append(_find_step(AV1_STRENGTHS, compression.av1_quantizer))
    return max(strengths)


def strength_for_seams(seams: JpegSeams | None) -> float:
    """The strength for a JPEG that was made smaller; 0 where no seams are seen."""
    if seams is None:
        return 0.0
    steps = next(steps for period, steps in SEAM_STRENGTHS if seams.period < period)
    return _find_step(steps, seams.contrast)


def _find_step(steps: Sequence[tuple[float, float]], value: float) -> float:
    return steps[bisect_right([start for start, _ in steps], value) - 1][1]

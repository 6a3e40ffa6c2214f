"""What Python says of tiles, transparency and compression, for the page's own tests in Node.

    python tests/serve/page/page_goldens.py

writes goldens.json beside it; `test_page_modules.py` compares it with what Python says now.
"""

import base64
import hashlib
import io
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np

from subpixel.media.compression.jpeg_tables import fit_quality, libjpeg_table
from subpixel.media.compression.read import UNKNOWN_COMPRESSION, Compression
from subpixel.media.image_file import open_stream
from subpixel.media.picture import Header
from subpixel.spec import ModelSpec, Padding
from subpixel.upscaling.alpha import SURVEY_ROWS, Survey, limit_alpha
from subpixel.upscaling.choice.choose import explain_stated
from subpixel.upscaling.choice.curve import strength_for
from subpixel.upscaling.tiles.planning import Planner
from subpixel.upscaling.tiles.tiling import Span, TilePlan, source_rows

GOLDENS = Path(__file__).parent / "goldens.json"
COMPRESSED = Path(__file__).parent / "compressed.json"
"""Small files by name, base64: those of one encoder, so that every version reads the same bytes."""

OURS = ModelSpec("ours", 2, "luma", "rgb", halo=14)
SPECS = {
    "balanced": OURS,
    "fast": replace(OURS, halo=7),
    "point": replace(OURS, halo=0),
    "multiples": replace(OURS, halo=13, size_multiple=8, size_minimum=24, padding="edge"),
    "square": replace(OURS, square=True, size_multiple=4, padding="zeros"),
    "fixed": replace(OURS, fixed_size=(96, 64)),
    "most": replace(OURS, size_maximum=200),
    "whole": replace(OURS, halo=None),
}
SIZES = (
    *((1, 1), (61, 83), (384, 384), (385, 384), (512, 512), (513, 700)),
    *((1080, 1920), (1531, 2047), (3000, 4000), (40, 9000)),
)
OPTIONS: tuple[dict[str, Any], ...] = (
    {},
    {"tile": 384},
    {"tile": 256, "channels": 4},
    {"tile": 0},
    {"workers": 4},
)


def goldens() -> dict[str, Any]:
    return {
        "plans": [*_plans()],
        "rows": [_rows(length, padding) for length in (1, 5) for padding in get_args(Padding)],
        "alpha": [_alpha(*shape) for shape in ((5, 7, 4), (70, 33, 4), (150, 211, 2))],
        "limits": _limits(),
        "jpeg": [_jpeg(quality) for quality in range(1, 101)],
        "choices": _choices(),
    }


def _plans() -> Iterator[dict[str, Any]]:
    for name, spec in SPECS.items():
        for height, width in SIZES:
            for options in OPTIONS if name in ("balanced", "multiples") else OPTIONS[:2]:
                yield _plan(spec, height, width, options)


def _plan(spec: ModelSpec, height: int, width: int, options: dict[str, Any]) -> dict[str, Any]:
    channels = options.get("channels", 3)
    planner = Planner(spec, options.get("workers", 1), options.get("tile"))
    plan = planner.plan(Header((1, height, width, channels), np.dtype(np.uint8)))
    asked = {"extraChannels": channels - 3, "workers": planner.workers, "tile": planner.tile}
    return {"facts": _facts(spec), "size": [height, width], "asked": asked, "plan": _shape(plan)}


def _facts(spec: ModelSpec) -> dict[str, Any]:
    fields = ("halo", "size_multiple", "size_minimum", "size_maximum", "square", "fixed_size")
    return {name: asdict(spec)[name] for name in (*fields, "padding")}


def _shape(plan: TilePlan) -> list[Any]:
    """Spans as start, stop, keep_start, keep_stop; of many only those at the ends, and a sum."""
    return [
        [plan.padded_height, plan.padded_width],
        *(_spans(spans) for spans in (plan.rows, plan.columns)),
    ]


def _spans(spans: tuple[Span, ...]) -> list[Any]:
    numbers = [[span.start, span.stop, span.keep_start, span.keep_stop] for span in spans]
    weights = sum(i * sum(span) for i, span in enumerate(numbers))
    return [len(numbers), numbers[:2], numbers[-2:], weights]


def _rows(length: int, padding: Padding) -> dict[str, Any]:
    rows = source_rows(0, 3 * length, length, padding).tolist()
    return {"length": length, "padding": padding, "rows": rows}


def _alpha(height: int, width: int, channels: int) -> dict[str, Any]:
    """Transparent holes of several sizes, one beyond a band of the survey."""
    samples = _noise(height, width, channels)
    y, x = np.mgrid[:height, :width]
    hole = (y - height // 2) ** 2 + (x - width // 2) ** 2
    samples[..., -1] = np.clip((hole - height * width // 40) // 4, 0, 255)
    bands = [samples[top : top + SURVEY_ROWS] for top in range(0, height, SURVEY_ROWS)]
    survey = Survey(height, width)
    for band in bands:
        survey.at(band)
    painted = np.concatenate(list(survey.bleed(bands)))
    shape = {"height": height, "width": width, "channels": channels}
    return shape | {"samples": _sha256(samples), "painted": _sha256(painted)}


def _limits() -> dict[str, Any]:
    alpha, larger = _noise(9, 11, 1)[..., 0], _noise(18, 22, 1)[..., 0]
    limited = limit_alpha(larger[None, None], alpha[None, None])[0, 0]
    return {"height": 9, "width": 11, "scale": 2, "limited": limited.ravel().tolist()}


def _jpeg(quality: int) -> dict[str, Any]:
    """A table as libjpeg makes it, and one that lies beside it."""
    table = libjpeg_table(quality)
    other = tuple(step + i % 3 for i, step in enumerate(table))
    return {
        "table": [table, fit_quality(table)],
        "judged": _judge(Compression(jpeg_quality=fit_quality(table))),
        "other": [other, fit_quality(other)],
    }


def _choices() -> dict[str, Any]:
    """What each kind of file says of its compression, and what follows; and every value."""
    files = json.loads(COMPRESSED.read_text(encoding="utf-8"))
    return {
        "files": {name: _judge(_read_compression(content)) for name, content in files.items()},
        "webp": [_judge(Compression(webp_quantizer=index / 4)) for index in range(4 * 127 + 1)],
        "avif": [_judge(Compression(av1_quantizer=index)) for index in range(1, 256)],
    }


def _read_compression(content: str) -> Compression:
    return open_stream(io.BytesIO(base64.b64decode(content))).compression()


def _judge(stated: Compression) -> list[Any]:
    """Strength and reason; none for a file that says nothing."""
    reason = "" if stated == UNKNOWN_COMPRESSION else explain_stated(stated)
    return [strength_for(stated), reason]


def _noise(height: int, width: int, channels: int) -> np.ndarray:
    y, x, channel = np.mgrid[:height, :width, :channels]
    noise = (x * 7919 + y * 104729 + channel * 1299709) * 2654435761 % 2**32 >> 24
    return noise.astype(np.uint8)


def _sha256(samples: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(samples).tobytes()).hexdigest()


def as_text() -> str:
    return json.dumps(goldens(), separators=(",", ":")).replace('{"facts"', '\n{"facts"') + "\n"


if __name__ == "__main__":
    GOLDENS.write_text(as_text(), encoding="utf-8")
    sys.stdout.write(f"{GOLDENS.name}: {GOLDENS.stat().st_size} bytes\n")

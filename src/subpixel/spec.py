"""ModelSpec: what a network is, carried inside its own file.

An ONNX file has room for text by key (``ModelProto.metadata_props``). A file that subpixel
wrote says there, under ``subpixel.*``, everything that a program must know to run it right;
nothing is ever guessed from a file's name.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from subpixel.errors import SpecError, one_line
from subpixel.strict_json import JsonError, parse_json, show_value

Colour = Literal["luma", "rgb"]
Precision = Literal["fp32", "fp16", "bf16", "int8"]
SampleType = Literal["float", "uint8"]
"""A file's input and output: float NCHW in 0 … 1, or 8-bit code values as NHWC."""

Padding = Literal["reflect", "edge", "zeros"]
"""How a picture is padded at its right and lower edge: mirrored as far as it reaches and its last
row and column repeated from there on; repeated at once; or black."""

Purpose = Literal["super-resolution", "restoration", "face"]

Exporter = Literal["dynamo", "trace", "script"]
"""PyTorch's ONNX exporters."""

Interface = Literal["rgb", "native"]
"""The input of an exported file: always RGB, or the network's own channels."""

_CHOICES: Mapping[str, tuple[str, ...]] = {
    "colour": get_args(Colour),
    "interface": get_args(Colour),
    "purpose": get_args(Purpose),
    "padding": get_args(Padding),
    "precision": get_args(Precision),
    "samples": get_args(SampleType),
}
MAX_FACT = 1 << 20
"""The largest length, count or factor that a fact may state: more than any picture's side."""

MAX_PADDED_SIDE = 1 << 10
"""The largest multiple or minimum of a side: every picture is padded to it."""

_RANGES: Mapping[str, tuple[int, int]] = {
    "scale": (1, MAX_FACT),
    "size_multiple": (1, MAX_PADDED_SIDE),
    "size_minimum": (1, MAX_PADDED_SIDE),
    "size_maximum": (1, MAX_FACT),
    "halo": (0, MAX_FACT),
    "fixed_batch": (1, MAX_FACT),
}

_OPTIONAL_FIELDS = ("size_maximum", "halo", "fixed_batch")
"""The fields that may be None."""

MAX_FACT_BYTES = 1 << 14
"""The longest text of a fact."""

_TEXT_FIELDS = ("name", "architecture", "licence", "origin")
_BOOLEAN_FIELDS = ("square", "pads")

METADATA_PREFIX = "subpixel."
FACTS_VERSION = "1"


@dataclass(frozen=True)
class ModelSpec:
    """The facts of one network file.

    Pixels go in and come out as float32 NCHW in 0 … 1, unless ``samples`` says otherwise.
    """

    name: str
    scale: int
    """Upscaling factor of each side, 1 or more (1: a network that restores without upscaling)."""
    colour: Colour
    """What the network itself processes: luma only, or RGB."""
    interface: Colour
    """The channels of the file's input and output: ``"luma"`` is one, ``"rgb"`` three."""
    architecture: str = "unknown"
    purpose: Purpose = "super-resolution"
    """``"restoration"`` leaves the size as it is; ``"face"`` expects an aligned face."""
    halo: int | None = None
    """Input pixels around an output pixel that can change it; None: the whole picture can."""
    size_multiple: int = 1
    """The network works on heights and widths that are multiples of this; tiles start at them."""
    size_minimum: int = 1
    """The network works on heights and widths of at least this."""
    square: bool = False
    """The network works on square pictures only."""
    pads: bool = False
    """Whether the file itself pads any picture to such a size, and crops the result."""
    padding: Padding = "reflect"
    """How pictures are padded to such a size."""
    size_maximum: int | None = None
    """The largest height and width that the file handles correctly; larger pictures are tiled."""
    fixed_size: tuple[int, int] | None = None
    """The only height and width that the file accepts; None: any."""
    fixed_batch: int | None = None
    """The only batch size that the file accepts; None: any."""
    precision: Precision = "fp32"
    samples: SampleType = "float"
    licence: str = "unknown"
    origin: str = "unknown"
    """Where the weights come from: the checkpoint's name, or who trained them on what."""

    def __post_init__(self) -> None:
        for field, allowed in _CHOICES.items():
            if getattr(self, field) not in allowed:
                raise SpecError(
                    f"{field} is {show_value(getattr(self, field))}; it is one of {allowed}"
                )
        for field, (minimum, maximum) in _RANGES.items():
            value = getattr(self, field)
            if not (value is None and field in _OPTIONAL_FIELDS):
                _expect_length(field, value, minimum, maximum)
        _expect_fixed_size(self.fixed_size)
        _expect_some_size(self)
        for field in _TEXT_FIELDS:
            if not isinstance(getattr(self, field), str):
                raise SpecError(f"{field} is {show_value(getattr(self, field))}; it must be text")
        for field in _BOOLEAN_FIELDS:
            if not isinstance(getattr(self, field), bool):
                raise SpecError(
                    f"{field} is {show_value(getattr(self, field))}; it must be true or false"
                )

    @property
    def channels(self) -> int:
        """Channels of the file's input and output."""
        return 1 if self.interface == "luma" else 3

    def to_metadata(self) -> dict[str, str]:
        """The facts as text by key, every value JSON; the inverse of :func:`spec_from_metadata`."""
        facts = {METADATA_PREFIX + key: json.dumps(value) for key, value in asdict(self).items()}
        return {METADATA_PREFIX + "version": json.dumps(FACTS_VERSION), **facts}


def next_multiple(length: int, multiple: int) -> int:
    """The smallest multiple of ``multiple`` that is at least ``length``."""
    return -(-length // multiple) * multiple


def _expect_length(field: str, value: object, minimum: int, maximum: int) -> None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not whole or not minimum <= value <= maximum:  # type: ignore[operator]
        raise SpecError(
            f"{field} is {show_value(value)}; it must be a whole number from {minimum} to {maximum}"
        )


def _expect_fixed_size(size: object) -> None:
    if size is None:
        return
    if not isinstance(size, tuple) or len(size) != 2:
        raise SpecError(f"fixed_size is {show_value(size)}; it must be a height and a width")
    for side in size:
        _expect_length("fixed_size", side, 1, MAX_FACT)


def _expect_some_size(spec: ModelSpec) -> None:
    least = next_multiple(spec.size_minimum, spec.size_multiple)
    if spec.size_maximum is not None and spec.size_maximum < least:
        raise SpecError(
            f"size_maximum is {spec.size_maximum}, and the smallest side that size_minimum and "
            f"size_multiple allow is {least}; no picture has such a size"
        )


def spec_from_metadata(metadata: Mapping[str, str]) -> ModelSpec | None:
    """Read the facts back; None when the file carries none of ours.

    Raises :class:`SpecError` when they are there but can't be read: wrong facts are worse than
    none.
    """
    facts = {
        k.removeprefix(METADATA_PREFIX): v
        for k, v in metadata.items()
        if k.startswith(METADATA_PREFIX)
    }
    if not facts:
        return None
    try:
        values = {key: parse_json(text, max_bytes=MAX_FACT_BYTES) for key, text in facts.items()}
    except JsonError as error:
        raise SpecError(f"the file's subpixel.* metadata is not JSON: {one_line(error)}") from error
    version = values.pop("version", None)
    if version != FACTS_VERSION:
        raise SpecError(
            f"the file's facts are of version {show_value(version)}; "
            f"this subpixel reads {FACTS_VERSION!r}"
        )
    return _parse_facts(values)


def _parse_facts(values: dict[str, object]) -> ModelSpec:
    known = {field.name for field in fields(ModelSpec)}
    missing = {"name", "scale", "colour", "interface"} - values.keys()
    if missing:
        raise SpecError(f"the file's facts lack {', '.join(sorted(missing))}; export it again")
    facts: dict[str, Any] = {key: value for key, value in values.items() if key in known}
    if isinstance(facts.get("fixed_size"), list):
        facts["fixed_size"] = tuple(facts["fixed_size"])
    return ModelSpec(**facts)

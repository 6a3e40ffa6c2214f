"""What a request asks for, out of the texts that its query and form hold."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from subpixel.errors import UsageError
from subpixel.media.formats.format import EncodeOptions, Format
from subpixel.media.formats.registry import FORMATS
from subpixel.serve.work.whole_numbers import read_whole_number
from subpixel.upscaling.size.target_size import TargetSize, parse_factor

OPTION_NAMES = ("model", "scale", "width", "height", "format", "quality", "lossless", "strict")
"""The parameters that there are."""

MAX_SHOWN_OPTION = 40
"""Characters of a value that a message repeats."""

MAX_WHOLE = 999_999_999
"""A side, or a quality."""


@dataclass(frozen=True)
class UpscaleOptions:
    """How one picture is to be enlarged."""

    model: str | None = None
    """None: the default."""
    size: TargetSize | None = None
    """None: the network's own."""
    form: Format | None = None
    """Of the result; None: the picture's."""
    encode: EncodeOptions = EncodeOptions()
    strict: bool = False
    """Whether a result that loses anything is refused."""


def read_options(texts: Mapping[str, str]) -> UpscaleOptions:
    """Raises :class:`UsageError` for an unknown parameter, or a value that it can't have."""
    unknown = [name for name in texts if name not in OPTION_NAMES]
    if unknown:
        raise UsageError(
            f"there is no parameter {_show_words(unknown[0])}; there are {', '.join(OPTION_NAMES)}"
        )
    return UpscaleOptions(
        texts.get("model"),
        _read_sides(texts),
        _read_format(texts["format"]) if "format" in texts else None,
        EncodeOptions(
            quality=_read_whole(texts, "quality"), lossless=_read_flag(texts, "lossless")
        ),
        _read_flag(texts, "strict"),
    )


def _read_sides(texts: Mapping[str, str]) -> TargetSize | None:
    scale = _read_factor(texts["scale"]) if "scale" in texts else None
    width, height = _read_whole(texts, "width"), _read_whole(texts, "height")
    if scale is None and width is None and height is None:
        return None
    return TargetSize(scale=scale, width=width, height=height)


def _read_factor(text: str) -> Fraction:
    try:
        return parse_factor(text)
    except UsageError as error:
        raise UsageError(f"scale: {error}") from error


def _read_whole(texts: Mapping[str, str], name: str) -> int | None:
    text = texts.get(name)
    if text is None:
        return None
    number = read_whole_number(text, MAX_WHOLE)
    if number is None or number > MAX_WHOLE:
        raise UsageError(
            f"{name} is {_show_words(text)}; it is a whole number of up to {MAX_WHOLE}, such as 90"
        )
    return number


def _read_flag(texts: Mapping[str, str], name: str) -> bool:
    text = texts.get(name, "false")
    if text not in ("true", "false"):
        raise UsageError(f"{name} is {_show_words(text)}; it is true or false")
    return text == "true"


def _read_format(text: str) -> Format:
    for form in FORMATS:
        if f".{text.lower()}" in form.suffixes:
            return form
    names = ", ".join(form.suffixes[0][1:] for form in FORMATS)
    raise UsageError(f"format is {_show_words(text)}; it is one of {names}")


def _show_words(text: str) -> str:
    return repr(text[:MAX_SHOWN_OPTION])

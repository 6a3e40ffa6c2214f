"""The codecs that films are written in: by which encoder, with which options."""

from collections.abc import Mapping
from dataclasses import dataclass

from subpixel.errors import UsageError
from subpixel.media.film.facts import SITINGS


@dataclass(frozen=True)
class VideoCodec:
    """One way to encode, as FFmpeg has it."""

    name: str
    """By which it is asked for."""
    encoder: str
    """FFmpeg's name."""
    quality: str | None = None
    """Its option that keeps the quality constant; None: it has none."""
    default_quality: int = 0
    best: int = 0
    """The value of the best quality."""
    worst: int = 51
    preset: str | None = None
    """Its option for how hard it tries."""
    default_preset: str = ""
    presets: tuple[str, ...] = ()
    options: tuple[tuple[str, str], ...] = ()
    """Always set."""
    is_lossless: bool = False
    has_alpha: bool = False
    """Whether transparency goes into its packets; other encoders take it, and leave it out."""
    has_full_range: bool = True
    """Whether its films can say that black and white are the ends of the scale."""
    sitings: frozenset[str] = frozenset(SITINGS)
    """The places of chroma that its films can say; left is what players take for granted."""
    min_side: int = 1
    """Of the longer side, in pixels."""

    def set_quality(self, crf: int | None) -> dict[str, str]:
        """The options for a constant quality; raises :class:`UsageError` for one that it hasn't."""
        if self.quality is None:
            if crf is not None:
                raise UsageError(f"--crf means nothing for {self.name}; leave it out")
            return {}
        if crf is not None and not self.best <= crf <= self.worst:
            raise UsageError(
                f"--crf {crf} is none of {self.name}; use {self.best} (best) … {self.worst}"
            )
        return {self.quality: str(self.default_quality if crf is None else crf)}

    def set_preset(self, preset: str | None) -> dict[str, str]:
        """The option for a preset; raises :class:`UsageError` for one that it hasn't."""
        if self.preset is None:
            if preset is not None:
                raise UsageError(f"--preset means nothing for {self.name}; leave it out")
            return {}
        if preset is not None and preset not in self.presets:
            names = ", ".join(self.presets)
            raise UsageError(f"--preset {preset!r} is none of {self.name}; use one of {names}")
        return {self.preset: preset or self.default_preset}


_X26 = (
    *("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower"),
    *("veryslow", "placebo"),
)
_NVENC = ("p1", "p2", "p3", "p4", "p5", "p6", "p7")
_QSV = ("veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow")
_NUMBERS = tuple(str(number) for number in range(14))
_LEFT = frozenset({"left"})
_CONSTANT_QUALITY = (("rc", "vbr"), ("b", "0"))


def _nvenc(name: str, encoder: str) -> VideoCodec:
    return VideoCodec(name, encoder, "cq", 21, 1, 51, "preset", "p5", _NVENC, _CONSTANT_QUALITY)


def _qsv(name: str, encoder: str) -> VideoCodec:
    return VideoCodec(name, encoder, "global_quality", 21, 1, 51, "preset", "medium", _QSV)


def _amf(name: str, encoder: str) -> VideoCodec:
    presets = ("speed", "balanced", "quality")
    rate = (("rc", "qvbr"),)
    return VideoCodec(
        name, encoder, "qvbr_quality_level", 21, 1, 51, "quality", "quality", presets, rate
    )


def _videotoolbox(name: str, encoder: str) -> VideoCodec:
    return VideoCodec(name, encoder, "q:v", 65, 100, 1)


CODECS: tuple[VideoCodec, ...] = (
    VideoCodec("h264", "libx264", "crf", 18, 0, 51, "preset", "medium", _X26),
    VideoCodec(
        *("h265", "libx265", "crf", 20, 0, 51, "preset", "medium", _X26),
        options=(("x265-params", "log-level=none"),),
        min_side=64,  # below, x265 4.1 writes beyond its memory
    ),
    VideoCodec(
        *("av1", "libsvtav1", "crf", 28, 1, 63, "preset", "8", _NUMBERS),
        sitings=frozenset({"left", "topleft"}),  # AV1, 6.4.2
    ),
    VideoCodec(
        *("vp9", "libvpx-vp9", "crf", 24, 0, 63, "cpu-used", "3", _NUMBERS[:9]),
        options=(("b", "0"), ("deadline", "good"), ("row-mt", "1")),
        has_alpha=True,
        sitings=_LEFT,
    ),
    VideoCodec(
        *("prores", "prores_ks"),
        options=(("vendor", "apl0"),),
        has_alpha=True,
        has_full_range=False,
        sitings=_LEFT,
    ),
    VideoCodec(
        *("ffv1", "ffv1"),
        options=(("level", "3"), ("g", "1"), ("slicecrc", "1")),
        is_lossless=True,
        has_alpha=True,
        sitings=_LEFT,
    ),
    _nvenc("h264_nvenc", "h264_nvenc"),
    _nvenc("h265_nvenc", "hevc_nvenc"),
    _nvenc("av1_nvenc", "av1_nvenc"),
    _qsv("h264_qsv", "h264_qsv"),
    _qsv("h265_qsv", "hevc_qsv"),
    _qsv("av1_qsv", "av1_qsv"),
    _amf("h264_amf", "h264_amf"),
    _amf("h265_amf", "hevc_amf"),
    _amf("av1_amf", "av1_amf"),
    _videotoolbox("h264_videotoolbox", "h264_videotoolbox"),
    _videotoolbox("h265_videotoolbox", "hevc_videotoolbox"),
)

CODEC_NAMES = tuple(codec.name for codec in CODECS)

_ALIASES: Mapping[str, str] = {"hevc": "h265", "x264": "h264", "x265": "h265", "avc": "h264"}


def codec_named(name: str) -> VideoCodec:
    """The codec of that name, in any case; raises :class:`UsageError` for an unknown one."""
    lower = name.lower().replace("hevc_", "h265_")
    lower = _ALIASES.get(lower, lower)
    codec = next((codec for codec in CODECS if codec.name == lower), None)
    if codec is None:
        raise UsageError(f"{name!r} is no video codec here; use one of {', '.join(CODEC_NAMES)}")
    return codec


def default_codec(muxer: str, *, bits: int, alpha: bool) -> VideoCodec:
    """For a container, by FFmpeg's name: what plays everywhere; with more than 8 bits, and with
    transparency, what holds them."""
    if muxer == "webm":
        return codec_named("av1" if bits > 8 else "vp9")
    if alpha and muxer in ("mov", "matroska"):
        return codec_named("prores" if muxer == "mov" else "ffv1")
    return codec_named("h265" if bits > 8 else "h264")

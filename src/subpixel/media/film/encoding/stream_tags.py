"""What a film says of each of its streams: language, title, marks; and what of it is lost."""

from collections.abc import Iterator, Mapping

from av.stream import AttachmentStream, DataStream, Disposition, Stream

from subpixel.media.picture import Loss

TERMINOLOGY_CODES: Mapping[str, str] = {
    "alb": "sqi",
    "arm": "hye",
    "baq": "eus",
    "bur": "mya",
    "chi": "zho",
    "cze": "ces",
    "dut": "nld",
    "fre": "fra",
    "geo": "kat",
    "ger": "deu",
    "gre": "ell",
    "ice": "isl",
    "mac": "mkd",
    "mao": "mri",
    "may": "msa",
    "per": "fas",
    "rum": "ron",
    "slo": "slk",
    "tib": "bod",
    "wel": "cym",
}
"""The languages of two codes (ISO 639-2): that of libraries, which Matroska has, to that of
terminology, which MP4 has."""

QUICKTIME_CODES: Mapping[str, str] = {
    "sqi": "alb",
    "hye": "arm",
    "eus": "baq",
    "mya": "bur",
    "zho": "chi",
    "nld": "dut",
    "kat": "geo",
    "deu": "ger",
    "ell": "gre",
    "isl": "ice",
    "mkd": "mac",
    "msa": "may",
    "fas": "per",
    "bod": "tib",
    "cym": "wel",
    "swe": "sve",
    "hrv": "hr ",
    "srp": "sr ",
    "fao": "fo ",
    "pan": "pa ",
    "gle": "iri",
}
"""Codes of terminology to what FFmpeg calls the numbers of QuickTime's languages, where that is
something else."""

_FROM_QUICKTIME = {own: code for code, own in QUICKTIME_CODES.items()}

UNKNOWN_LANGUAGES = ("", "und", "unk")

TITLE_KEYS = ("title", "name")
"""Of a stream's title, in lower case: as it is written, and as MP4's and QuickTime's is read."""

STALE_KEYS = ("bps", "number_of_bytes", "number_of_frames", "duration", "encoder", "rotate")
"""Beginnings of the keys of metadata that the old video had of itself, in lower case."""

VIDEO_KEYS = (*STALE_KEYS, "alpha_mode")
"""Those that are said anew of a new video, or are no longer true of it."""

UNTOLD_KEYS = frozenset(
    {
        *("alpha_mode", "language", *TITLE_KEYS, "filename", "mimetype", "variant_bitrate"),
        *("vendor_id", "creation_time", "major_brand", "minor_version", "compatible_brands"),
        "file_package_umid",
    }
)
"""Keys that are compared otherwise, or are of a container itself."""

COUNTED_KEYS = (*STALE_KEYS, "_statistics")
"""Beginnings of keys by which a container says what was counted of a stream."""


def translate_tags(metadata: Mapping[str, str], muxer: str) -> dict[str, str]:
    """A stream's metadata as ``muxer`` takes it: its title under that name, and its language by
    the code that it has."""
    tags = {key: text for key, text in metadata.items() if key.lower() not in TITLE_KEYS}
    title = find_title(metadata)
    if title:
        tags["title"] = title
    language = tags.get("language")
    if language is not None:
        tags["language"] = _translate_language(language, muxer)
    return tags


def _translate_language(language: str, muxer: str) -> str:
    settled = settle_language(language)
    if muxer == "mov":
        return QUICKTIME_CODES.get(settled, settled)
    return language if muxer != "mp4" and language in TERMINOLOGY_CODES else settled


def settle_language(language: str) -> str:
    """By the code of terminology, of whichever code a container has."""
    lower = language.lower()
    lower = _FROM_QUICKTIME.get(lower, lower)
    return TERMINOLOGY_CODES.get(lower, lower)


def find_title(metadata: Mapping[str, str]) -> str:
    """A stream's title; empty: it has none."""
    tags = {key.lower(): text for key, text in metadata.items()}
    return next((tags[key] for key in TITLE_KEYS if tags.get(key)), "")


def compare_stream(old: Stream, new: Stream, muxer: str) -> Iterator[Loss]:
    """What ``old`` says of itself and ``new``, its copy in a film by ``muxer``, doesn't."""
    label = describe_stream(old)
    language = _find_language(old)
    if language and language != _find_language(new):
        yield Loss("language", f"{muxer} can't say that {label} is in {language!r}")
    title = find_title(old.metadata)
    if title and title != find_title(new.metadata):
        yield Loss("title", f"{muxer} can't say that {label} is called {title!r}")
    marks = list_lost_marks(old.disposition, new.disposition)
    if marks:
        yield Loss("disposition", f"{muxer} can't say that {label} is {', '.join(marks)}")
    keys = sorted(_told_keys(old) - {key.lower() for key in new.metadata})
    if keys:
        yield Loss("metadata", f"{muxer} has no place for what {label} says of {', '.join(keys)}")


def describe_stream(stream: Stream) -> str:
    """For people: its number, codec and language."""
    own = stream.metadata.get("language", "")
    language = "" if own in UNKNOWN_LANGUAGES else f", {own}"
    return f"stream {stream.index} ({find_codec_name(stream) or 'unknown'}{language})"


def find_codec_name(stream: Stream) -> str:
    """FFmpeg's, of an attachment its file's; empty: FFmpeg doesn't know the codec."""
    if stream.codec_context:
        name: str | None = stream.codec_context.name
    else:
        name = stream.name if isinstance(stream, DataStream | AttachmentStream) else None
    return name or ""


def list_lost_marks(old: Disposition, new: Disposition) -> tuple[str, ...]:
    """The names of what ``old`` is marked as, and ``new`` isn't."""
    compared = old & ~new & ~Disposition.attached_pic
    if old & Disposition.hearing_impaired:
        compared &= ~Disposition.captions  # FFmpeg sets both for the one kind of MP4
    return tuple(mark.name for mark in Disposition if mark & compared and mark.name)


def _find_language(stream: Stream) -> str:
    """By the code of terminology; empty: it isn't said."""
    language = settle_language(stream.metadata.get("language") or "")
    return "" if language in UNKNOWN_LANGUAGES else language


def _told_keys(stream: Stream) -> set[str]:
    keys = {key.lower() for key in stream.metadata} - UNTOLD_KEYS
    return {key for key in keys if not key.startswith(COUNTED_KEYS)}

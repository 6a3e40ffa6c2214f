"""Each parser of ours as a function of bytes: what it may raise is caught, all else is a fault.

A coverage-guided fuzzer drives them, or a plain loop (:mod:`tests.robustness.harnesses.fuzz`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.robustness.seeds.blocks import block_seeds, exif_seeds
from tests.robustness.seeds.caches import cache_seeds
from tests.robustness.seeds.networks import network_seeds
from tests.robustness.seeds.pictures import picture_seeds
from tests.robustness.seeds.seed import Seed
from tests.robustness.trials.blocks import (
    parse_exif,
    parse_profile,
    parse_records,
    parse_resources,
    parse_xmp,
)

from subpixel.errors import SubpixelError
from subpixel.media.formats.account import collect_losses
from subpixel.media.formats.format import Format
from subpixel.media.formats.registry import FORMATS, sniff
from subpixel.media.libvips import HEAD_BYTES, FileContents
from subpixel.network.file_metadata import read_file_metadata
from subpixel.spec import spec_from_metadata
from subpixel.zoo.gallery.catalogue import parse_catalogue

Parse = Callable[[bytes], None]
MAX_BYTES = 1 << 24


@dataclass(frozen=True)
class Harness:
    """A parser, and the files to begin with."""

    name: str
    parse: Parse
    """Raises only what is a fault."""
    seeds: Callable[[], Sequence[Seed]]


def _refusing(parse: Parse) -> Parse:
    """``parse``, whose refusals are no faults."""
    return partial(_call, parse)


def _call(parse: Parse, data: bytes) -> None:
    try:
        parse(data)
    except (SubpixelError, ValueError):
        return


def _account(form: Format, data: bytes) -> None:
    """All parts of a picture file, and how coarsely it was quantised; no pixel is decoded."""
    if not data or sniff(data[:64]) is not form:
        return
    contents = FileContents(Path("a file"), data[:HEAD_BYTES], (), data, MAX_BYTES)
    collect_losses(form.reader.parts(contents))
    form.reader.compression(contents)


def _picture_seeds(form: Format) -> list[Seed]:
    return [seed for seed in picture_seeds() if sniff(seed.data[:64]) is form]


def _picture_harness(form: Format) -> Harness:
    parse = _refusing(partial(_account, form))
    return Harness(form.suffixes[0][1:], parse, partial(_picture_seeds, form))


def _named(*suffixes: str) -> list[Seed]:
    return [seed for seed in block_seeds() if seed.suffix in suffixes]


def _network_facts(data: bytes) -> None:
    with TemporaryDirectory() as place:
        file = Path(place, "network.onnx")
        file.write_bytes(data)
        spec_from_metadata(read_file_metadata(file))


def _catalogue(data: bytes) -> None:
    parse_catalogue(data)


HARNESSES: tuple[Harness, ...] = (
    *map(_picture_harness, FORMATS),
    Harness("exif", _refusing(parse_exif), exif_seeds),
    Harness("icc", _refusing(parse_profile), partial(_named, ".icc")),
    Harness("xmp", _refusing(parse_xmp), partial(_named, ".xmp")),
    Harness("resources", _refusing(parse_resources), partial(_named, ".irb")),
    Harness("records", _refusing(parse_records), partial(_named, ".iptc")),
    Harness("facts", _refusing(_network_facts), network_seeds),
    Harness("catalogue", _refusing(_catalogue), cache_seeds),
)  # fmt: skip


def find_harness(name: str) -> Harness:
    return next(harness for harness in HARNESSES if harness.name == name)

"""Which network, as bytes: what results depend on, told without opening it."""

import hashlib
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from subpixel.network.identify import is_ort_file
from subpixel.network.locate import locate
from subpixel.network.network import Network
from subpixel.system.files.hashing import hash_file
from subpixel.zoo.family import POINTS
from subpixel.zoo.manifest import INT8, read_manifest

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def hash_network(model: str | Path | Network, scale: int | None) -> str:
    """The sha256 of a network: of its file, or of those that a bundled one may go through: all its
    scales, its form in 8-bit integers, and of one of the family all of that.

    Raises what :func:`~subpixel.network.locate.locate` raises.
    """
    if isinstance(model, Network):
        return _hash_open(model)
    if Path(model).is_file():
        return _hash_own(Path(model))
    digests = _join_digests(str(model))
    return _hash_joined(digests) if digests else hash_file(locate(model, scale))


def describe_fields(value: "DataclassInstance") -> str:
    """The fields of a dataclass that aren't as they are by default, as ``name=value, …``."""
    default = type(value)()
    pairs = ((field.name, getattr(value, field.name)) for field in fields(value))
    return ", ".join(f"{name}={it}" for name, it in pairs if it != getattr(default, name))


def _join_digests(name: str) -> str:
    """Of a bundled network's files, or of its family's; empty for another."""
    family = {point.name for point in POINTS}
    names = family if name.removesuffix(INT8) in family else {name.removesuffix(INT8)}
    rows = read_manifest()
    return "".join(sorted(row.sha256 for row in rows if row.name.removesuffix(INT8) in names))


def _hash_own(file: Path) -> str:
    """Of a file, its parameters in other files included."""
    if is_ort_file(file):
        return hash_file(file)
    from subpixel.graph.metadata import list_parameter_files  # imports onnx, as opening it does

    others = list_parameter_files(file)
    digests = [hash_file(each) for each in (file, *others)]
    return _hash_joined("".join(digests)) if others else digests[0]


def _hash_joined(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _hash_open(network: Network) -> str:
    """Of an open one its content; of an op without a file what is known of it."""
    if isinstance(network.source, Path):
        return hash_file(network.source)
    return hashlib.sha256(network.source or repr(network.spec).encode()).hexdigest()

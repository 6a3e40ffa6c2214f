"""A network becomes a folder that is ready for a platform, proven first and written whole."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from string import Template

import onnx

from subpixel.errors import NetworkError
from subpixel.graph.metadata import load_model, with_spec
from subpixel.graph.passes.explicit_convolutions import with_explicit_convolutions
from subpixel.network.identify import describe
from subpixel.publish.package.filling import fill_templates
from subpixel.publish.package.golden import FACTS_FILE, Golden, make_golden
from subpixel.publish.package.targets import Target
from subpixel.publish.package.values import template_values
from subpixel.spec import ModelSpec
from subpixel.system.files.folders import expect_free_folder, whole_folder

INVENTORY = "subpixel-package.json"
"""The list of a package's files, by which one is told from other folders."""

LATER_FILES = ("node_modules", "package-lock.json", "__pycache__")
"""What running a package's programs leaves in it."""


@dataclass(frozen=True)
class PackageReport:
    """What was packed: it lies at ``path``, and makes the golden picture."""

    target: str
    spec: ModelSpec
    path: Path
    files: tuple[str, ...]
    """Relative to ``path``, sorted."""
    size: int
    """Bytes of all files."""
    exact: bool
    """Whether the golden picture is to be met bit by bit."""
    sha256: str
    """Of the golden picture's code values."""

    def summary(self) -> str:
        """What it is, in one line."""
        kind = "bit by bit" if self.exact else "within its bound"
        return f"{self.spec.name} x{self.spec.scale} for {self.target}; {kind} right here"


def package_network(
    model: Path, out: Path, target: Target, *, overwrite: bool = False
) -> PackageReport:
    """Pack the network file ``model`` for ``target`` into the folder ``out``, whole or not at all.

    The folder holds the network, a program that runs it on that platform, and the golden picture
    (:mod:`subpixel.publish.package.golden`); the network was run here and makes it. Raises
    :class:`~subpixel.errors.NetworkError` for a file that can't be packed, and
    :class:`~subpixel.errors.SubpixelError` where ``out`` can't be written: it holds something, say,
    and is no package that ``overwrite`` may replace.
    """
    expect_free_folder(out, find_foreign_files, overwrite=overwrite)
    spec, _ = describe(model)
    _expect_plain(model, spec)
    graph = with_spec(with_explicit_convolutions(load_model(model)), spec)
    golden, network = make_golden(graph, spec), target.convert(graph)
    golden.expect_from(network)
    files = _package_files(target, graph, spec, golden, network)
    with whole_folder(out, find_foreign_files, overwrite=overwrite) as draft:
        for name, content in files.items():
            path = draft / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    sizes = sum(map(len, files.values()))
    exact = golden.values is None
    return PackageReport(target.name, spec, out, tuple(sorted(files)), sizes, exact, golden.sha256)


def find_foreign_files(folder: Path) -> str | None:
    """What in ``folder`` is neither a package's nor left by its programs, in a few words."""
    try:
        inventory = json.loads((folder / INVENTORY).read_text(encoding="utf-8"))
        own = {INVENTORY, *inventory["sha256"]}
    except (OSError, ValueError, TypeError, KeyError):
        return f"it holds other things than a package (no {INVENTORY})"
    foreign = [
        path
        for file in folder.rglob("*")
        if not (file.is_dir() and not file.is_symlink())
        and (path := file.relative_to(folder)).as_posix() not in own
        and not set(path.parts) & set(LATER_FILES)
    ]
    return f"it holds {foreign[0]}, which is not of the package" if foreign else None


def _expect_plain(model: Path, spec: ModelSpec) -> None:
    """Refuse what the programs don't do."""
    if spec.interface != "rgb":
        raise NetworkError(
            f"{model}: takes luma alone; export it with --interface rgb, so that colour is "
            "computed inside the file"
        )
    if spec.fixed_batch not in (None, 1):
        raise NetworkError(
            f"{model}: takes {spec.fixed_batch} pictures at a time; export it for one, or for any "
            "number"
        )
    if spec.precision == "int8" and spec.samples != "uint8":
        raise NetworkError(
            f"{model}: computes partly in integers and partly in floats, which runtimes round "
            "differently; give the fp32 file, or one of integers from end to end"
        )


def _package_files(
    target: Target, model: onnx.ModelProto, spec: ModelSpec, golden: Golden, network: bytes
) -> Mapping[str, bytes]:
    """Every file of the package, by its path; the inventory is the last."""
    values = template_values(model, spec, golden)
    path = Template(target.network).substitute(values)
    data = PurePosixPath(target.data)
    facts = golden.facts(spec, str(PurePosixPath(path).relative_to(data)))
    files: dict[str, bytes] = {}
    for folder in target.templates:
        files |= fill_templates(folder, values)
    files |= {str(data / name): content for name, content in golden.files().items()}
    files |= {name: text.encode() for name, text in target.reports(model).items()}
    files |= {path: network, str(data / FACTS_FILE): _to_json(facts)}
    hashes = {name: hashlib.sha256(files[name]).hexdigest() for name in sorted(files)}
    return {**files, INVENTORY: _to_json({"target": target.name, "sha256": hashes})}


def _to_json(value: object) -> bytes:
    return (json.dumps(value, indent=2) + "\n").encode()

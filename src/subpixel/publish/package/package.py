"""A network becomes a folder that is ready for a platform, proven first and written whole."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
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
from subpixel.publish.package.values import make_slug, template_values
from subpixel.spec import ModelSpec
from subpixel.strict_json import JsonError, read_value
from subpixel.system.files.folders import expect_free_folder, whole_folder
from subpixel.system.files.hashing import hash_file
from subpixel.system.files.json_files import read_json_file
from subpixel.system.files.targets import expect_inputs_spared

INVENTORY = "subpixel-package.json"
"""The list of a package's files, by which one is told from other folders."""

LATER_FILES = ("node_modules", "package-lock.json", "__pycache__")
"""What running a package's programs leaves in it."""


@dataclass(frozen=True)
class _Inventory:
    target: str
    sha256: Mapping[str, str]
    """Of each file, by its path."""


@dataclass(frozen=True)
class PackageReport:
    """What was packed: it lies at ``path``, and makes the golden picture."""

    target: str
    spec: ModelSpec
    path: Path
    files: tuple[str, ...]
    """Relative to ``path``, sorted; the inventory is the last."""
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
    model: Path,
    out: Path,
    target: Target,
    *,
    scale: int | None = None,
    overwrite: bool = False,
) -> PackageReport:
    """Pack the network file ``model`` for ``target`` into the folder ``out``, whole or not at all.

    The folder holds the network, a program that runs it on that platform, and the golden picture
    (:mod:`subpixel.publish.package.golden`); the network was run here and makes it. Raises
    :class:`~subpixel.errors.NetworkError` for a file that can't be packed,
    :class:`~subpixel.errors.UsageError` for a ``scale`` that isn't its own, and
    :class:`~subpixel.errors.SubpixelError` where ``out`` can't be written: it holds something, say,
    and is no package that ``overwrite`` may replace.
    """
    expect_inputs_spared(out, [model])
    expect_free_folder(out, find_foreign_files, overwrite=overwrite)
    spec, _ = describe(model, scale)
    _expect_plain(model, spec)
    graph = with_spec(with_explicit_convolutions(load_model(model)), spec)
    golden, network = make_golden(graph, spec), target.convert(graph)
    golden.expect_from(network)
    path = Template(target.network).substitute(slug=make_slug(spec))
    files = _package_files(target, graph, spec, golden) | {path: network}
    files |= _data_files(target, spec, golden, path)
    with whole_folder(out, find_foreign_files, overwrite=overwrite) as draft:
        for name, content in files.items():
            _write_file(draft / name, content)
        target.finish(draft, draft / path)
        sizes = _write_inventory(draft, target)
    total, exact = sum(sizes.values()), golden.values is None
    return PackageReport(target.name, spec, out, tuple(sizes), total, exact, golden.sha256)


def _write_file(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _write_inventory(folder: Path, target: Target) -> Mapping[str, int]:
    """List the package's files with their hashes; their sizes by path, sorted."""
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    files = {name: files[name] for name in sorted(files) if files[name].is_file()}
    hashes = {name: hash_file(file) for name, file in files.items()}
    inventory = folder / INVENTORY
    inventory.write_bytes(_dump_json(asdict(_Inventory(target.name, hashes))))
    return {name: file.stat().st_size for name, file in {**files, INVENTORY: inventory}.items()}


def find_foreign_files(folder: Path) -> str | None:
    """What in ``folder`` is neither a package's nor left by its programs, in a few words."""
    try:
        inventory = read_value(read_json_file(folder / INVENTORY), _Inventory)
        own = {INVENTORY, *inventory.sha256}
    except (OSError, JsonError):
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
    target: Target, model: onnx.ModelProto, spec: ModelSpec, golden: Golden
) -> dict[str, bytes]:
    """The files that are filled from templates, and what is said of the network."""
    values, files = template_values(model, spec, golden), dict[str, bytes]()
    for folder in target.templates:
        files |= fill_templates(folder, values)
    return files | {name: text.encode() for name, text in target.reports(model).items()}


def _data_files(
    target: Target, spec: ModelSpec, golden: Golden, network: str
) -> Mapping[str, bytes]:
    """The golden picture, and the facts that programs read; ``network`` is its file's path."""
    data = PurePosixPath(target.data)
    facts = golden.facts(spec, str(PurePosixPath(network).relative_to(data)))
    files = {**golden.files(), FACTS_FILE: _dump_json(facts)}
    return {str(data / name): content for name, content in files.items()}


def _dump_json(value: object) -> bytes:
    return (json.dumps(value, indent=2) + "\n").encode()

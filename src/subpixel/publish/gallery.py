"""A network of the gallery → the cache: downloaded, verified, exported, proven, or nothing."""

import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from subpixel.convention import ChannelOrder, Convention
from subpixel.errors import CheckpointError, ExportError, GalleryError, NetworkError
from subpixel.graph.metadata import load_model, read_spec
from subpixel.spec import ModelSpec
from subpixel.system.extras import expect_installed
from subpixel.system.files.atomic import atomic_file, write_bytes
from subpixel.system.files.hashing import hash_file
from subpixel.thirdparty.adopt import adopt_model
from subpixel.zoo.gallery import store
from subpixel.zoo.gallery.catalogue import CatalogueModel, Resource
from subpixel.zoo.gallery.download import (
    ExpectedFile,
    ReportBytes,
    download,
    expect_same,
    expect_same_content,
)
from subpixel.zoo.gallery.licences import UNKNOWN_LICENCE, expect_accepted
from subpixel.zoo.gallery.store import Entry

if TYPE_CHECKING:
    from subpixel.nets.checkpoints.checkpoint import Checkpoint
    from subpixel.publish.release import ReleaseReport

ONNX = "onnx"

TORCH_PACKAGES = ("torch", "onnxscript", "safetensors", "spandrel", "cloudpickle")
"""What a checkpoint can't be exported without."""


@dataclass(frozen=True)
class GalleryOrder:
    """What is wanted of the gallery."""

    model: CatalogueModel
    resource: Resource
    catalogue: str
    """Its URL, for the record."""
    accepted: tuple[str, ...] = ()
    """Licences that the user agrees to, by name."""
    extra_architectures: bool = False
    time_limit: float = 900.0
    """Seconds that one way of exporting may take."""

    @property
    def checksum(self) -> ExpectedFile:
        if self.resource.sha256 is None:
            raise GalleryError(f"the catalogue doesn't state the sha256 of {self.model.id}'s file")
        return ExpectedFile(self.resource.sha256, self.resource.size)


@dataclass(frozen=True)
class _Product:
    """An ONNX file that may be kept."""

    spec: ModelSpec
    report: Mapping[str, Any]


def obtain(
    order: GalleryOrder,
    file: Path | None = None,
    report: ReportBytes = lambda what, done, total: None,
) -> Entry:
    """Put the network that ``order`` names into the cache, and return what it says there.

    Its file is downloaded, or ``file`` where somebody has downloaded it, and must have the
    catalogue's size and sha256 before anything is read. Weights are loaded without running code,
    exported, and proven equal to PyTorch (:func:`~subpixel.publish.release.release`); an ONNX file
    is run and must be a network of the scale that the catalogue says. A verified download is kept
    until all of that is done, so that another try needs no other.

    Raises :class:`~subpixel.errors.UsageError` for a licence that has to be agreed to,
    :class:`~subpixel.errors.ProviderError` where PyTorch is needed and isn't there, both before
    the download; :class:`GalleryError` for a file that can't be had or is another;
    :class:`NetworkError` for one that is no network that subpixel can run.
    """
    expect_accepted(order.model.licence, order.accepted, order.model.id)
    if order.resource.type != ONNX:
        for package in TORCH_PACKAGES:
            expect_installed(package)
    weights = store.download_path(order.model.id, order.checksum.sha256, suffix=order.resource.type)
    source = _download_weights(order, weights, file, report)
    with store.workshop() as folder:
        out = folder / "network.onnx"
        make = _adopt if order.resource.type == ONNX else _export
        product = make(order, weights, out, report)
        entry = _store_entry(order, source, product, out)
        store.put_network(entry, out)
    store.remove_downloads(entry.id)
    return entry


def _download_weights(
    order: GalleryOrder, weights: Path, file: Path | None, report: ReportBytes
) -> str:
    """Put the file at ``weights``, verified; where it is from."""
    note = weights.with_name(f"{weights.name}.source")
    if file is not None:
        _copy(file, weights, order.checksum)
        source = file.name
    elif _is_complete(weights, order.checksum) and note.is_file():
        return note.read_text()
    else:
        source = download(order.resource.plain_urls, order.checksum, weights, report)
    write_bytes(note, source.encode(), overwrite=True)
    return source


def _copy(file: Path, weights: Path, expected: ExpectedFile) -> None:
    try:
        expect_same(file, expected)
    except GalleryError as error:
        raise GalleryError(f"{file} is not the file that the catalogue lists: {error}") from error
    with file.open("rb") as source, atomic_file(weights, overwrite=True) as stream:
        shutil.copyfileobj(source, stream)
        expect_same_content(stream, expected)


def _is_complete(weights: Path, expected: ExpectedFile) -> bool:
    """Whether an earlier run has downloaded it, and failed later."""
    try:
        expect_same(weights, expected)
    except (GalleryError, FileNotFoundError):
        return False
    return True


def _load_weights(order: GalleryOrder, weights: Path) -> "Checkpoint":
    from subpixel.nets.checkpoints.checkpoint import load_checkpoint

    extra, scale = order.extra_architectures, order.model.scale
    try:
        return load_checkpoint(weights, scale=scale, extra_architectures=extra)
    except CheckpointError as error:
        listed = f"{order.model.architecture} x{scale}"
        raise CheckpointError(
            f"{order.model.id}, listed as {listed}, can't be used: {error}"
        ) from error


def _export(order: GalleryOrder, weights: Path, out: Path, report: ReportBytes) -> _Product:
    from subpixel.publish.release import release

    model, loaded = order.model, _load_weights(order, weights)
    own = loaded.spec.licence
    if own != UNKNOWN_LICENCE and own.lower() != (model.licence or "").lower():
        expect_accepted(own, order.accepted, f"{model.id}, as its file says,")
    spec = replace(loaded.spec, name=model.id, licence=_licence_line(order), origin=_origin(order))
    result = release(loaded.module, out, spec=spec, time_limit=order.time_limit, report=report)
    if not result:
        raise ExportError(
            f"{model.id} could not be proven, so it was not kept: {_release_fault(result)}"
        )
    return _Product(result.spec, _release_facts(result))


def _adopt(order: GalleryOrder, weights: Path, out: Path, report: ReportBytes) -> _Product:
    report("adopt the ONNX file", 0, 0)
    spec, remark = _adopt_onnx(order.model, weights, out)
    if spec.scale != order.model.scale:
        raise NetworkError(
            f"{order.model.id}'s file enlarges by {spec.scale}; the catalogue says "
            f"{order.model.scale}, so it was not kept"
        )
    return _Product(spec, {"way": f"third-party ONNX file: {remark}", "proven": False})


def _adopt_onnx(model: CatalogueModel, file: Path, out: Path) -> tuple[ModelSpec, str]:
    """Make ``out`` of a third-party ONNX file, with its facts in it; and what was decided.

    The catalogue's networks take RGB, in that order. Raises :class:`NetworkError` for a file that
    is no super-resolution network, or whose convention photographs don't tell.
    """
    graph = load_model(file)
    declared = read_spec(graph)
    if declared is not None:
        shutil.copyfile(file, out)
        return declared, "states its facts itself"
    order: ChannelOrder | None = "rgb" if model.input_channels == 3 else None
    adopted = adopt_model(graph, model.id, Convention(input_order=order, output_order=order))
    write_bytes(out, adopted.model.SerializeToString())
    return adopted.spec, adopted.remark


def _release_fault(result: "ReleaseReport") -> str:
    if result.parity is not None:
        return result.parity.summary()
    return "; ".join(f"{f.check}: {f.message}" for f in result.check.findings if not f.ok)


def _release_facts(result: "ReleaseReport") -> dict[str, Any]:
    attempts = [{"attempt": str(t.attempt), "reason": t.reason} for t in result.tried]
    parity = result.parity
    return {
        "way": f"exported by {result.tried[-1].attempt}, opset {result.opset}",
        "proven": True,
        "limits": _limits(result.spec),
        "summary": parity and parity.summary(),
        "tried": attempts,
        "spec": asdict(result.spec),
        "checks": [asdict(finding) for finding in result.check.findings],
        "parity": parity and parity.to_json(),
    }


def _limits(spec: ModelSpec) -> list[str]:
    """What the file can't take, though networks as a rule can."""
    size = [] if spec.fixed_size is None else ["pictures of {}×{} alone".format(*spec.fixed_size)]
    batch = [] if spec.fixed_batch is None else [f"a batch of {spec.fixed_batch} alone"]
    return size + batch


def _licence_line(order: GalleryOrder) -> str:
    return order.model.licence or UNKNOWN_LICENCE


def _origin(order: GalleryOrder) -> str:
    authors = ", ".join(order.model.authors) or "unknown author"
    return f"{order.model.name} by {authors} (sha256 {order.checksum.sha256[:8]})"


def _store_entry(order: GalleryOrder, source: str, product: _Product, out: Path) -> Entry:
    model = order.model
    return Entry(
        id=model.id,
        name=model.name,
        authors=model.authors,
        licence=_licence_line(order),
        accepted=order.accepted,
        tags=model.tags,
        description=model.description,
        architecture=model.architecture,
        scale=product.spec.scale,
        catalogue=order.catalogue,
        source=source,
        weights_type=order.resource.type,
        weights_sha256=order.checksum.sha256,
        sha256=hash_file(out),
        size=out.stat().st_size,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        report=product.report,
    )

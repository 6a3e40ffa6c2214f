"""One row of the table of architectures: what PyTorch does with a network, and what becomes of it.

    python benchmarks/architecture_row.py swinir-light-x2 row.json [seconds for each export]

Run by architectures.py, in a process of its own: networks crash exporters, fill memories and
take their time. The row is written as it stands after each step, so that one that is stopped
still says how far it came.
"""

import json
import math
import os
import resource
import sys
import tempfile
import time
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import safetensors.torch
from random_networks import Configuration, configurations, random_weights, rebuilt

from subpixel.errors import SubpixelError, one_line
from subpixel.nets.architectures.architecture import colour_of_channels
from subpixel.nets.checkpoints.checkpoint import CheckpointFile, Choice, load_checkpoint
from subpixel.nets.export.child_process import EXPORT_TIME_LIMIT
from subpixel.nets.padding import runs_any_size
from subpixel.nets.spandrel.module import SpandrelModule, import_spandrel
from subpixel.nets.torch_op import TorchOp
from subpixel.parity.cases import STANDARD_SIZES, Case, pixels
from subpixel.parity.memory.ledger import describe_too_large
from subpixel.publish.release import ReleaseReport, release
from subpixel.runtime.op import NetOp, Pixels
from subpixel.spec import ModelSpec
from subpixel.system.versions import package_version

if TYPE_CHECKING:
    from random_networks import Descriptor

PACKAGES = ("torch", "onnx", "onnxscript", "onnxruntime", "spandrel", "spandrel_extra_arches")

BEYOND = (33, 57)
"""Added to the least size that a network takes: a network for one size alone fails here."""

SAME = 1e-4
"""Pictures whose values differ by no more are the same: PyTorch, too, rounds by the batch."""


@dataclass(frozen=True)
class InPyTorch:
    """What PyTorch itself does with a network, padded by spandrel's rule where it has one."""

    fault: str | None
    """Why it does not run at any size; None where it does."""
    repeatable: bool = True
    """Whether two runs agree to the bit."""
    batch: str | None = None
    """Why a batch is not the same as its pictures one by one; None where it is."""


@dataclass(frozen=True)
class Published:
    """The file that was accepted, as its report and its graph say."""

    exporter: str
    way: str
    batch: bool
    """Whether the batch is free, and was proven so."""
    size: bool
    """Whether height and width are."""
    pads: bool
    size_multiple: int
    size_minimum: int
    size_maximum: int | None
    halo: int | None
    nodes: int
    cases: int
    max_codes: int
    max_abs: float
    psnr: float | None
    """The least over the cases, in dB; None where every case is equal to the bit."""
    compared_up_to: tuple[int, int] | None = None
    """Height and width of the largest picture that was compared, where memory was not enough for a
    larger one; None where it was."""
    too_large: tuple[str, ...] = ()
    """Which cases memory was not enough for, and what they would have taken."""


@dataclass(frozen=True)
class Row:
    """All that was found out about one configuration."""

    name: str
    architecture: str
    versions: Mapping[str, str | None]
    scale: int | None = None
    parameters: int | None = None
    masked: bool = False
    """Whether it takes a mask beside the picture."""
    pytorch: InPyTorch | None = None
    recognised: str | None = None
    """As which architecture its checkpoint was read."""
    fault: str | None = None
    """Why there is no file."""
    tried: tuple[tuple[str, str, float], ...] = ()
    """Every attempt: how, why it was rejected (nothing for the one accepted), seconds."""
    published: Published | None = None
    done: bool = False
    """Whether its process came to its end, or was stopped for good."""
    seconds: float = 0.0
    megabytes: int = 0
    """The most memory that this process or one of its children held."""

    def stopped(self, fault: str, seconds: float) -> "Row":
        """The row of a network whose process did not come to its end."""
        return replace(self, fault=fault, seconds=seconds, done=True)


def main() -> None:
    name, out, *limit = sys.argv[1:]
    time_limit = float(limit[0]) if limit else EXPORT_TIME_LIMIT
    warnings.simplefilter("ignore")  # PyTorch's to its architectures' authors
    configuration = next(c for c in configurations() if c.name == name)
    began = time.monotonic()
    versions = {package: package_version(package) for package in PACKAGES}
    row = Row(name, configuration.architecture, versions)
    published = partial(_published, time_limit=time_limit)
    for step in (_in_pytorch, published):
        row = replace(step(row, configuration), seconds=time.monotonic() - began)
        row = replace(row, megabytes=_most_megabytes(), done=step is published)
        write(row, Path(out))


def write(row: Row, out: Path) -> None:
    """Write one row, in one move."""
    _write_json(asdict(row), out)


def read(file: Path) -> Row:
    """The inverse of :func:`write`."""
    return _parse_row(json.loads(file.read_text("utf-8")))


def write_rows(rows: Sequence[Row], out: Path) -> None:
    """Write the rows of all networks, by name, in one move."""
    _write_json([asdict(row) for row in sorted(rows, key=lambda row: row.name)], out)


def read_rows(file: Path) -> list[Row]:
    """The inverse of :func:`write_rows`; no rows where there is no file."""
    return (
        [_parse_row(facts) for facts in json.loads(file.read_text("utf-8"))]
        if file.exists()
        else []
    )


def _write_json(value: object, out: Path) -> None:
    part = out.with_suffix(".partial")
    part.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", "utf-8")
    part.replace(out)


def _parse_row(facts: dict[str, Any]) -> Row:
    facts["pytorch"] = InPyTorch(**facts["pytorch"]) if facts["pytorch"] else None
    facts["published"] = _parse_published(facts["published"]) if facts["published"] else None
    facts["tried"] = tuple((way, reason, seconds) for way, reason, seconds in facts["tried"])
    return Row(**facts)


def _parse_published(facts: dict[str, Any]) -> Published:
    side, too_large = facts.get("compared_up_to"), facts.get("too_large", ())
    return Published(
        **{**facts, "compared_up_to": side and tuple(side), "too_large": tuple(too_large)}
    )


def _in_pytorch(row: Row, configuration: Configuration) -> Row:
    try:
        weights = random_weights(replace(configuration, rename=()))
    except Exception as error:  # drawing the weights runs the network, and any may fail
        return replace(row, pytorch=InPyTorch(f"does not run: {one_line(error, most=160)}"))
    found = rebuilt(weights, configuration.architecture)
    row = replace(
        row,
        scale=found.scale,
        parameters=sum(parameter.numel() for parameter in found.model.parameters()),
    )
    if not isinstance(found, import_spandrel("spandrel").ImageModelDescriptor):
        return replace(row, masked=True)
    return replace(row, pytorch=_behaviour(found))


def _behaviour(found: "Descriptor") -> InPyTorch:
    """Run it as spandrel does, but that pictures are padded by our own code and not clipped."""
    rule, colour = found.size_requirements, colour_of_channels(found.input_channels)
    spec = ModelSpec(
        name="probe",
        scale=found.scale,
        colour=colour,
        interface=colour,
        size_multiple=rule.multiple_of,
        size_minimum=max(rule.minimum, 1),
        square=rule.square,
    )
    try:
        module, spec = runs_any_size(SpandrelModule(found.model, found._call_fn).eval(), spec)
    except SubpixelError as error:
        return InPyTorch(str(error))
    op = TorchOp(module)
    least = spec.size_minimum
    beyond = tuple(least + more for more in BEYOND)
    faults = [_fault(op, spec, size, found.output_channels) for size in (*STANDARD_SIZES, beyond)]
    fault = next((f for f in faults if f), None)
    if fault:
        return InPyTorch(fault)
    case = Case(3, 51, 67, "photo")
    together = pixels(case, spec.channels)
    singles = np.concatenate([op(together[i : i + 1]) for i in range(case.batch)])
    repeatable = np.array_equal(singles[:1], op(together[:1]))
    return InPyTorch(None, repeatable, _batch_fault(op, together, singles))


def _fault(op: NetOp, spec: ModelSpec, size: tuple[int, ...], channels: int) -> str | None:
    height, width = size
    wanted = (1, channels, height * spec.scale, width * spec.scale)
    try:
        result = op(pixels(Case(1, height, width, "photo"), spec.channels))
    except Exception as error:  # whatever the network's code happens to raise
        return f"fails at {height}×{width}: {one_line(error, most=160)}"
    if result.shape != wanted:
        return f"gives {result.shape} at {height}×{width} in place of {wanted}"
    return None if np.isfinite(result).all() else f"gives NaN or infinity at {height}×{width}"


def _batch_fault(op: NetOp, together: Pixels, singles: Pixels) -> str | None:
    try:
        result = op(together)
    except Exception as error:  # as above
        return one_line(error, most=160)
    if result.shape != singles.shape:
        return f"gives {result.shape} in place of {singles.shape}"
    apart = float(np.abs(result - singles).max())
    return f"a picture changes by {apart:.1e} with the others" if apart > SAME else None


def _published(row: Row, configuration: Configuration, time_limit: float) -> Row:
    if row.pytorch is None or row.pytorch.fault:
        return row
    with tempfile.TemporaryDirectory() as name:
        checkpoint, out = Path(name) / f"{row.name}.safetensors", Path(name) / "network.onnx"
        safetensors.torch.save_file(random_weights(configuration), checkpoint)
        try:
            file = CheckpointFile(checkpoint, choice=Choice(default=True))  # random weights
            loaded = load_checkpoint(file, extra_architectures=True)
            row = replace(row, recognised=loaded.spec.architecture)
            report = release(
                loaded.module, out, spec=loaded.spec, interface="native", time_limit=time_limit
            )
        except SubpixelError as error:
            return replace(row, fault=str(error).removeprefix(f"{checkpoint}: "))
        row = replace(row, tried=_tried(report))
        return replace(row, published=_facts(report)) if report else replace(row, fault="wrong")


def _tried(report: ReleaseReport) -> tuple[tuple[str, str, float], ...]:
    return tuple((str(t.attempt), t.reason or "", round(t.seconds, 1)) for t in report.tried)


def _facts(report: ReleaseReport) -> Published:
    spec, attempt = report.spec, report.tried[-1].attempt
    assert report.parity is not None
    assert report.path is not None
    results = report.parity.results
    psnr = min(math.inf if r.psnr is None else r.psnr for r in results)
    return Published(
        exporter=report.exporter,
        way=str(attempt),
        batch=spec.fixed_batch is None,
        size=spec.fixed_size is None,
        pads=spec.pads,
        size_multiple=spec.size_multiple,
        size_minimum=spec.size_minimum,
        size_maximum=spec.size_maximum,
        halo=spec.halo,
        nodes=len(onnx.load(report.path, load_external_data=False).graph.node),
        cases=len(results),
        max_codes=max(r.max_codes or 0 for r in results),
        max_abs=max(r.max_abs or 0.0 for r in results),
        psnr=None if psnr == math.inf else round(psnr, 1),
        compared_up_to=report.parity.reach,
        too_large=tuple(describe_too_large(report.parity.too_large)),
    )


def _most_megabytes() -> int:
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    most = max(resource.getrusage(one).ru_maxrss for one in who)
    return most // (2**20 if sys.platform == "darwin" else 2**10)


if __name__ == "__main__":
    with suppress(OSError):
        os.nice(5)
    main()

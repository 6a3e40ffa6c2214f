"""``subpixel export``."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal, get_args

import click

from subpixel.cli.options.checkpoints import make_checkpoint_file
from subpixel.cli.options.choices import (
    EXTRA_ARCHITECTURES,
    FILE,
    JSON,
    OVERWRITE,
    SEED,
    SETTINGS,
    TIME_LIMIT_OPTION,
    WEIGHTS,
)
from subpixel.cli.output import print_json, print_proof, progress
from subpixel.cli.streams import print_line
from subpixel.errors import UsageError
from subpixel.spec import Exporter, Interface, Precision
from subpixel.system.files.targets import expect_inputs_spared, make_folder

if TYPE_CHECKING:
    from subpixel.nets.checkpoints.checkpoint import Checkpoint, CheckpointFile
    from subpixel.publish.release import ReleaseReport

IMAGE_FILES = "bytes"


@click.command(no_args_is_help=True)
@click.argument("checkpoint", type=FILE, required=False)
@click.option(
    "--module",
    metavar="PACKAGE.MODULE:FACTORY",
    help="Instead of CHECKPOINT: run this function of yours, which returns a PyTorch module; or "
    "a module itself.",
)
@click.option("--scale", type=int, help="For weights that fit any scale (SRCNN, VDSR).")
@WEIGHTS
@SETTINGS
@EXTRA_ARCHITECTURES
@click.option("-o", "--output", type=FILE, required=True, help="The ONNX file to write.")
@click.option(
    "--interface",
    type=click.Choice((*get_args(Interface), IMAGE_FILES)),
    default="rgb",
    show_default=True,
    help="Take RGB, or what the network itself takes; or the bytes of image files (see below).",
)
@click.option(
    "--exporter",
    type=click.Choice(get_args(Exporter)),
    help="Use this one alone. [default: dynamo, then trace, whatever passes first]",
)
@click.option("--opset", type=int, default=18, show_default=True)
@click.option("--precision", type=click.Choice(("fp32", "fp16")), default="fp32", show_default=True)
@TIME_LIMIT_OPTION
@SEED
@click.option("--keep-failed", is_flag=True, help="Keep a file that fails as OUTPUT.failed.onnx.")
@OVERWRITE
@JSON
def command(
    checkpoint: Path | None,
    module: str | None,
    scale: int | None,
    weights: str | None,
    settings: tuple[str, ...],
    extra_architectures: bool,
    output: Path,
    interface: Interface | Literal["bytes"],
    exporter: Exporter | None,
    opset: int,
    precision: Precision,
    time_limit: float,
    seed: int | None,
    keep_failed: bool,
    overwrite: bool,
    as_json: bool,
) -> int:
    """Turn a PyTorch CHECKPOINT into one ONNX file that is checked and proven equal to PyTorch.

    The file takes any height and width, and any batch where that is proven; it carries its
    facts. Several ways of exporting are tried, each in a process of its own, and the first whose
    file passes is taken. Nothing is written at OUTPUT unless every check passes; else the exit
    code is 1.

    With --interface bytes the file takes the bytes of a PNG or JPEG and gives those of a PNG, of
    any size; CHECKPOINT may then also be an ONNX file of ours or the name of a bundled network. It
    runs under ONNX Runtime with its Extensions (extra `bytes`), whose decoder ends the process
    where the bytes are no PNG or JPEG.
    """
    from subpixel.publish.release import release

    expect_inputs_spared(output, [checkpoint] if checkpoint else [])
    if interface == IMAGE_FILES:
        _expect_image_files(output, overwrite, keep_failed)
        if checkpoint and _is_network(checkpoint):
            return _wrap_network(checkpoint, scale, output, overwrite, as_json)
    file = (
        make_checkpoint_file(checkpoint, weights, settings, extra_architectures)
        if checkpoint
        else None
    )
    if file is None and (weights or settings):
        raise UsageError("--weights and --setting are for checkpoints; a module says it itself")
    loaded = _load_module(file, module, scale)
    make_folder(output.parent)
    with TemporaryDirectory() as folder, progress() as show:
        network = Path(folder) / "network.onnx" if interface == IMAGE_FILES else output
        report = release(
            loaded,
            network,
            interface="native" if interface == "native" else "rgb",
            exporter=exporter,
            opset=opset,
            precision=precision,
            overwrite=overwrite,
            keep_failed=keep_failed,
            time_limit=time_limit,
            seed=seed,
            report=_with_lines(show),
        )
        if network != output and report:
            report = _write_image_files(report, network, output, overwrite)
    if as_json:
        print_json({**_release_json(report), "notes": loaded.notes})
    else:
        _print_release(report, loaded.notes)
    return 0 if report else 1


def _with_lines(show: Callable[[str, int, int], None]) -> Callable[[str, int, int], None]:
    """``show``, and off a terminal, where that shows nothing, a line on stderr for each further
    attempt: an export by the first takes seconds, one by the last minutes."""
    attempts: list[str] = []

    def report(what: str, done: int, total: int) -> None:
        show(what, done, total)
        if not total:
            attempts.append(what.removeprefix("export by "))
            if len(attempts) > 1 and not sys.stderr.isatty():
                print_line(f"rejected: {attempts[-2]}; next: {attempts[-1]}", err=True)

    return report


def _expect_image_files(output: Path, overwrite: bool, keep_failed: bool) -> None:
    """Said now, not after the work."""
    from subpixel.runtime.image_files import PACKAGE
    from subpixel.system.extras import expect_installed
    from subpixel.system.files.targets import expect_onnx_target

    if keep_failed:
        raise UsageError("--keep-failed keeps a network on pictures: use it with --interface rgb")
    expect_onnx_target(output, [], overwrite=overwrite)
    expect_installed(PACKAGE)


def _is_network(checkpoint: Path) -> bool:
    from subpixel.zoo.manifest import network_names

    return checkpoint.suffix.lower() == ".onnx" or str(checkpoint) in network_names()


def _wrap_network(
    network: Path, scale: int | None, output: Path, overwrite: bool, as_json: bool
) -> int:
    from subpixel.network.locate import locate
    from subpixel.publish.image_files import publish_image_files

    publish_image_files(locate(network, scale), output, scale=scale, overwrite=overwrite)
    if as_json:
        print_json({"passed": True, "path": output})
    else:
        print_line(f"wrote     {output}")
    return 0


def _write_image_files(
    report: "ReleaseReport", network: Path, output: Path, overwrite: bool
) -> "ReleaseReport":
    from subpixel.publish.image_files import publish_image_files

    publish_image_files(network, output, overwrite=overwrite)
    return replace(report, path=output)


def _load_module(
    checkpoint: "Path | CheckpointFile | None", module: str | None, scale: int | None
) -> "Checkpoint":
    from subpixel.nets.checkpoints.checkpoint import load_checkpoint
    from subpixel.nets.factory import load_factory

    if checkpoint is not None and module is None:
        return load_checkpoint(checkpoint, scale=scale)
    if module is not None and checkpoint is None and scale is None:
        return load_factory(module)
    raise UsageError("name a CHECKPOINT, or a --module by itself; a module knows its own scale")


def _release_json(report: "ReleaseReport") -> dict[str, object]:
    return {
        "passed": bool(report),
        "summary": report.summary(),
        "path": report.path,
        "kept": report.kept,
        "exporter": report.exporter,
        "opset": report.opset,
        "tried": [
            {"attempt": str(tried.attempt), "reason": tried.reason, "seconds": tried.seconds}
            for tried in report.tried
        ],
        "spec": report.spec,
        "checks": report.check.findings,
        "parity": report.parity and report.parity.to_json(),
    }


def _print_release(report: "ReleaseReport", notes: Sequence[str]) -> None:
    findings = report.check.findings
    failed = [finding for finding in findings if not finding.ok]
    print_line(f"network   {report.summary()}")
    for note in notes:
        print_line(f"taken     {note}")
    for tried in report.tried:
        if tried.reason is not None:
            print_line(f"rejected  {tried.attempt}: {tried.reason}")
    print_line(
        f"exported  by {report.tried[-1].attempt}, opset {report.opset}; {_describe_sizes(report)}"
    )
    print_line(f"checked   {len(findings) - len(failed)} of {len(findings)} checks passed")
    for finding in failed:
        print_line(f"          {finding.check}: {finding.message}")
    if report.parity is not None:
        print_proof(report.parity, indent="compared  ")
    print_line(f"wrote     {report.path or report.kept or 'nothing: it failed'}")


def _describe_sizes(report: "ReleaseReport") -> str:
    """Which pictures the file takes, up to which size that was seen, and how far it looks."""
    spec, reach = report.spec, report.parity and report.parity.reach
    most = spec.size_maximum and f"any size up to {spec.size_maximum}×{spec.size_maximum}"
    size = "{}×{} alone".format(*spec.fixed_size) if spec.fixed_size else most or "any size"
    if reach and not spec.fixed_size:
        size += f" (compared up to {reach[0]}×{reach[1]} alone)"
    batch = "any batch" if spec.fixed_batch is None else f"a batch of {spec.fixed_batch}"
    halo = "not local" if spec.halo is None else f"halo {spec.halo} px"
    return f"takes {size}, {batch}; {halo}"

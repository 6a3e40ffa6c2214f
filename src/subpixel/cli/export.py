"""``subpixel export``."""

from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from subpixel.cli.options import FILE, JSON, OVERWRITE
from subpixel.cli.output import make_folder, print_json
from subpixel.spec import Exporter, Interface, Precision

if TYPE_CHECKING:
    from subpixel.parity.release import ReleaseReport


@click.command(no_args_is_help=True)
@click.argument("checkpoint", type=FILE)
@click.option("-o", "--output", type=FILE, required=True, help="The ONNX file to write.")
@click.option(
    "--interface",
    type=click.Choice(get_args(Interface)),
    default="rgb",
    show_default=True,
    help="Take RGB, or what the network itself takes.",
)
@click.option(
    "--exporter",
    type=click.Choice(get_args(Exporter)),
    help="[default: dynamo where it reaches the opset, else trace]",
)
@click.option("--opset", type=int, help="[default: 18]")
@click.option(
    "--precision", type=click.Choice(("fp32", "fp16")), default="fp32", show_default=True
)
@click.option("--keep-failed", is_flag=True, help="Keep a file that fails as OUTPUT.failed.onnx.")
@OVERWRITE
@JSON
def command(
    checkpoint: Path,
    output: Path,
    interface: Interface,
    exporter: Exporter | None,
    opset: int | None,
    precision: Precision,
    keep_failed: bool,
    overwrite: bool,
    as_json: bool,
) -> int:
    """Turn a PyTorch CHECKPOINT into one ONNX file that is checked and proven equal to PyTorch.

    The file takes any batch, height and width, and carries its facts. Nothing is written at
    OUTPUT unless every check passes; the exit code is then 1.
    """
    from subpixel.parity.release import release

    make_folder(output.parent)
    report = release(
        checkpoint,
        output,
        interface=interface,
        exporter=exporter,
        opset=opset,
        precision=precision,
        overwrite=overwrite,
        keep_failed=keep_failed,
    )
    if as_json:
        print_json(_facts(report))
    else:
        _print(report)
    return 0 if report else 1


def _facts(report: "ReleaseReport") -> dict[str, object]:
    return {
        "passed": bool(report),
        "path": report.path,
        "kept": report.kept,
        "exporter": report.exporter,
        "opset": report.opset,
        "spec": report.spec,
        "checks": report.check.findings,
        "parity": report.parity and report.parity.to_json(),
    }


def _print(report: "ReleaseReport") -> None:
    spec, findings = report.spec, report.check.findings
    failed = [finding for finding in findings if not finding.ok]
    click.echo(f"network   {spec.architecture} x{spec.scale}, {spec.interface}, {spec.precision}")
    click.echo(f"exported  by {report.exporter} at opset {report.opset}, halo {spec.halo} px")
    click.echo(f"checked   {len(findings) - len(failed)} of {len(findings)} checks passed")
    for finding in failed:
        click.echo(f"          {finding.check}: {finding.message}")
    if report.parity is not None:
        click.echo(f"compared  {report.parity.summary()}")
    click.echo(f"wrote     {report.path or report.kept or 'nothing: it failed'}")

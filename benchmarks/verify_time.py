"""How long `subpixel verify` takes, and how much memory: a small network and a large one.

    python benchmarks/verify_time.py --weights superres_epoch100-44c6958e.pth

The large one is ESRGAN as it was published, RRDBNet x4 of 23 blocks and 64 channels (16.7 million
parameters), of random weights. Every row is a process from its start to its end, import of
PyTorch included; peak memory is its largest resident set. Needs the extra `test` and spandrel.
"""

import argparse
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import onnx
import torch
from interleaved import Run, run_command
from machine import MEBIBYTE, machine_line

from subpixel.graph.geometry.cost import parameters
from subpixel.nets.checkpoints.checkpoint import load_checkpoint
from subpixel.nets.export.attempt import list_attempts
from subpixel.nets.export.export import export_attempt
from subpixel.nets.export.exporters import DEFAULT_OPSET
from subpixel.nets.spandrel.module import import_spandrel

LIMITS = {"reference": 15.0, "ESRGAN": 300.0}
"""Seconds that were promised, on two cores."""


@dataclass(frozen=True)
class Row:
    """One `subpixel verify` that found everything the same."""

    name: str
    parameters: int
    cases: int
    run: Run


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument(
        "--weights", type=Path, help="the reference's checkpoint; left out: no row"
    )
    options.add_argument("--blocks", type=int, default=23, help="of ESRGAN; 0: no row")
    options.add_argument("--threads", type=int, help="ONNX Runtime's; default: its own")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        checkpoints = {"reference": given.weights} if given.weights else {}
        if given.blocks:
            checkpoints["ESRGAN"] = esrgan(folder / "esrgan.pth", given.blocks)
        rows = [measured(*item, folder, given.threads) for item in checkpoints.items()]
    print_table(rows)


def esrgan(file: Path, blocks: int) -> Path:
    """A checkpoint of random weights; its values lie around 0.5."""
    room = import_spandrel("spandrel.architectures.ESRGAN.__arch.RRDB")
    torch.manual_seed(0)
    network = room.RRDBNet(in_nc=3, out_nc=3, num_filters=64, num_blocks=blocks, scale=4)
    *_, bias = network.parameters()  # the last convolution's
    torch.nn.init.constant_(bias, 0.5)
    torch.save(network.state_dict(), file)
    return file


def measured(name: str, checkpoint: Path, folder: Path, threads: int | None) -> Row:
    loaded, file = load_checkpoint(checkpoint), folder / f"{name}.onnx"
    attempt = list_attempts(loaded.spec, "trace", DEFAULT_OPSET)[0]
    model = export_attempt(loaded.module, loaded.spec, attempt, DEFAULT_OPSET).model
    onnx.save(model, file)
    command = [str(Path(sys.executable).with_name("subpixel")), "verify", str(file), "--json"]
    command += ["--against", str(checkpoint)] + (["--threads", str(threads)] if threads else [])
    output = folder / "report.json"
    run = run_command(command, folder, limit=3600.0, output=str(output))
    return Row(name, parameters(model), len(json.loads(output.read_bytes())["results"]), run)


def print_table(rows: list[Row]) -> None:
    print(machine_line("onnxruntime", "torch") + "\n")
    print(
        "| network | parameters | cases | wall, s | promised, s | processor, s | peak memory, MiB |"
    )
    print("|---|---|---|---|---|---|---|")
    for row in rows:
        print(
            f"| {row.name} | {row.parameters / 1e6:.2f} M | {row.cases} | "
            f"{row.run.seconds:.1f} | {LIMITS[row.name]:.0f} | "
            f"{row.run.processor_seconds:.1f} | {row.run.peak / MEBIBYTE:.0f} |"
        )


if __name__ == "__main__":
    main()

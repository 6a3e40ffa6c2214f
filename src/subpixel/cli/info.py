"""``subpixel info``."""

from dataclasses import asdict
from pathlib import Path

import click

from subpixel.cli.options import FILE, JSON
from subpixel.cli.output import print_json, print_table
from subpixel.graph.cost import multiply_adds_per_pixel, parameters
from subpixel.graph.metadata import load_model
from subpixel.network import describe


@click.command(no_args_is_help=True)
@click.argument("file", type=FILE)
@JSON
def command(file: Path, as_json: bool) -> None:
    """Say what an ONNX network is: its facts, its cost, and whether it says them itself.

    A file without subpixel's facts is probed: run at a few sizes.
    """
    model = load_model(file)
    spec, declared = describe(file)
    facts = {
        **asdict(spec),
        "facts": "written in the file" if declared else "probed",
        "opset": next(
            entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")
        ),
        "ir_version": model.ir_version,
        "producer": f"{model.producer_name} {model.producer_version}".strip(),
        "parameters": parameters(model),
        "multiply_adds_per_pixel": multiply_adds_per_pixel(model),
        "nodes": len(model.graph.node),
    }
    if as_json:
        print_json(facts)
    else:
        print_table(
            str(file), ("fact", "value"), [(k.replace("_", " "), str(v)) for k, v in facts.items()]
        )

"""``subpixel info``."""

from dataclasses import asdict

import click

from subpixel.cli.options.choices import JSON, SCALE
from subpixel.cli.options.completion import complete_network
from subpixel.cli.output import print_json, print_table
from subpixel.graph.geometry.cost import multiply_adds_per_pixel, parameters
from subpixel.graph.geometry.propagate import onnx_opset
from subpixel.graph.metadata import load_model
from subpixel.network.identify import describe
from subpixel.network.locate import locate


@click.command(no_args_is_help=True)
@click.argument("model", metavar="NAME|FILE", shell_complete=complete_network)
@SCALE
@JSON
def command(model: str, scale: int | None, as_json: bool) -> None:
    """Say what a network is: its facts, its cost, and whether its file says them itself.

    A file without subpixel's facts is probed: run at a few sizes.
    """
    file = locate(model, scale)
    graph = load_model(file)
    spec, declared = describe(file, scale)
    facts = {
        **asdict(spec),
        "facts": "written in the file" if declared else "probed",
        "opset": onnx_opset(graph),
        "ir_version": graph.ir_version,
        "producer": f"{graph.producer_name} {graph.producer_version}".strip(),
        "parameters": parameters(graph),
        "multiply_adds_per_pixel": multiply_adds_per_pixel(graph),
        "nodes": len(graph.graph.node),
    }
    if as_json:
        print_json(facts)
    else:
        print_table(
            str(file), ("fact", "value"), [(k.replace("_", " "), str(v)) for k, v in facts.items()]
        )

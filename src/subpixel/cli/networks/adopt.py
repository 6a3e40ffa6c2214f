"""``subpixel adopt``."""

from pathlib import Path

import click

from subpixel.cli.options.choices import FILE, JSON, OVERWRITE
from subpixel.cli.options.convention import (
    CHANNEL_ORDER,
    INPUT_RANGE,
    LAYOUT_OPTION,
    OUTPUT_ORDER,
    OUTPUT_RANGE,
    PICTURE_OUTPUT,
    SET_INPUT,
    make_convention,
)
from subpixel.cli.output import print_json
from subpixel.cli.streams import print_line
from subpixel.convention import ChannelOrder, TensorLayout, ValueRange


@click.command(no_args_is_help=True)
@click.argument("model", type=FILE, metavar="FILE")
@click.option("-o", "--output", type=FILE, required=True, help="The ONNX file to write.")
@INPUT_RANGE
@OUTPUT_RANGE
@CHANNEL_ORDER
@OUTPUT_ORDER
@LAYOUT_OPTION
@SET_INPUT
@PICTURE_OUTPUT
@OVERWRITE
@JSON
def command(
    model: Path,
    output: Path,
    input_range: ValueRange | None,
    output_range: ValueRange | None,
    input_order: ChannelOrder | None,
    output_order: ChannelOrder | None,
    layout: TensorLayout | None,
    inputs_set: tuple[tuple[str, float], ...],
    output_name: str | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Make an ordinary ONNX file of a third-party one: float32 NCHW, RGB or luma in 0..1.

    What FILE wants is found out by running it on photographs, and wrapped into the graph; what
    photographs don't tell is asked for. The new file states its facts, and was run: it gives what
    FILE gives.
    """
    from subpixel.thirdparty.adopt_file import adopt_file

    convention = make_convention(
        input_range, output_range, input_order, output_order, layout, inputs_set, output_name
    )
    adopted = adopt_file(model, output, convention, overwrite=overwrite)
    if as_json:
        print_json({"remark": adopted.remark, "file": output, "facts": adopted.spec})
    else:
        print_line(f"{output}: {adopted.remark}")

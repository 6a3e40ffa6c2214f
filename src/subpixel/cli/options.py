"""Options that several verbs share, so that they read and mean the same everywhere."""

from pathlib import Path

import click

from subpixel.zoo.manifest import DEFAULT, DENOISE

MODEL = click.option(
    "--model",
    default=DEFAULT,
    show_default=True,
    metavar="NAME|FILE",
    help="A bundled network (see `subpixel models`) or an ONNX file.",
)
DENOISING = click.option(
    "--denoise",
    "model",
    flag_value=DENOISE,
    help=f"Clean JPEG damage, too: the network trained on JPEGs (--model {DENOISE}).",
)
SCALE = click.option(
    "--scale", type=int, help="Enlargement of each side. [default: 3, or the ONNX file's own]"
)
DEVICE = click.option(
    "--device",
    default="auto",
    show_default=True,
    metavar="NAME",
    help="auto, cpu, cuda, tensorrt, openvino, directml, coreml or webgpu (see `doctor`).",
)
THREADS = click.option(
    "--threads", type=click.IntRange(min=1), help="Threads. [default: one per physical core]"
)
OVERWRITE = click.option("--overwrite", is_flag=True, help="Replace files that exist.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
EXTRA_ARCHITECTURES = click.option(
    "--extra-architectures",
    is_flag=True,
    help="Admit networks of spandrel_extra_arches, some under non-commercial licences.",
)

FILE = click.Path(path_type=Path)

"""Options that several verbs share, so that they read and mean the same everywhere."""

import re
from pathlib import Path
from typing import get_args

import click

from subpixel.cli.options.completion import complete_network
from subpixel.cli.options.number_types import RealNumber, WholeNumber
from subpixel.measure.quality_floor import Floor
from subpixel.spec import Precision
from subpixel.zoo.manifest import DEFAULT_NETWORK, DENOISE


class DeviceName(click.ParamType):  # type: ignore[type-arg]
    """A device's name in any case: CUDA is cuda."""

    name = "text"

    def convert(
        self,
        value: str,
        param: click.Parameter | None,  # noqa: ARG002 - Click names them
        ctx: click.Context | None,  # noqa: ARG002
    ) -> str:
        return value.lower()


DEVICE_NAME = DeviceName()


def _default_model(_context: click.Context, _option: click.Parameter, value: str | None) -> str:
    """Not `default=`: where a flag shares an option's name, click before 8.3 makes that False."""
    return DEFAULT_NETWORK if value is None else value


MODEL = click.option(
    "--model",
    callback=_default_model,
    metavar="NAME|FILE",
    help="A bundled network or one of the gallery (see `subpixel models`), or an ONNX file. "
    f"[default: {DEFAULT_NETWORK}]",
    shell_complete=complete_network,
)
DENOISING = click.option(
    "--denoise",
    "model",
    flag_value=DENOISE,
    default=None,
    callback=_default_model,
    help=f"Clean JPEG damage, too: the network trained on JPEGs (--model {DENOISE}).",
)
SCALE = click.option(
    "--scale", type=int, help="Enlargement of each side. [default: 3, or the ONNX file's own]"
)
DEVICE = click.option(
    "--device",
    type=DEVICE_NAME,
    default="auto",
    show_default=True,
    metavar="NAME",
    help="auto, cpu, cuda, tensorrt, openvino, directml, coreml, webgpu, openvino-plugin, "
    "tensorrt-rtx or qnn (see `doctor`).",
)
THREADS = click.option(
    "--threads",
    type=WholeNumber(min=1),
    metavar="NUMBER",
    help="How many threads compute. [default: one per physical core]",
)
PRECISION = click.option(
    "--precision",
    type=click.Choice(get_args(Precision), case_sensitive=False),
    help="The numbers that the network computes in; for int8 it has a file of its own. [default: "
    "int8 for 8-bit pictures on the processor where a bundled network has it, else what the file "
    "says]",
)
FLOOR_OPTION = click.option(
    "--floor-db",
    type=RealNumber(min=0),
    default=Floor.psnr,
    show_default=True,
    help="Least PSNR in dB between 8-bit pictures by it and by the fp32 file, of our photograph.",
)
TASK_LOSS = click.option(
    "--task-loss",
    type=RealNumber(min=0),
    default=Floor.task_loss,
    show_default=True,
    help="By how many dB the PSNR on --bench may fall (of quantize without it: on our photograph).",
)
TIME_LIMIT_OPTION = click.option(
    "--time-limit",
    type=RealNumber(min=1),
    default=900,
    show_default=True,
    help="Seconds that one way of exporting may take.",
)
OVERWRITE = click.option("--overwrite", is_flag=True, help="Replace files that exist.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
WEIGHTS = click.option(
    "--weights",
    metavar="KEY",
    help="Take this set of a checkpoint's weights. [default: averaged ones, then the network's]",
)
SETTINGS = click.option(
    "--setting",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="What a checkpoint's weights don't tell: res_scale=0.1, range=255; or: default.",
)
SEED = click.option(
    "--seed",
    type=WholeNumber(min=0),
    help="Draw the random sizes and pictures of an earlier run again. [default: new ones]",
)
EXTRA_ARCHITECTURES = click.option(
    "--extra-architectures",
    is_flag=True,
    help="Admit networks of spandrel_extra_arches, some under non-commercial licences.",
)

FILE = click.Path(path_type=Path)


class ByteSize(click.ParamType):  # type: ignore[type-arg]
    """A number of bytes with a unit: 1G and 1GB are 10⁹, 1GiB is 2³⁰."""

    name = "size"

    def convert(
        self, value: str | int, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        if isinstance(value, int):
            return value
        match = _SIZE.fullmatch(value.strip().lower())
        if match is None or float(match["number"]) == 0:
            self.fail(f"{value!r} is no size; write it as 500M, 1G or 1.5GiB", param, ctx)
        power = "kmgt".find(match["unit"]) + 1 if match["unit"] else 0
        return int(float(match["number"]) * (1024 if match["binary"] else 1000) ** power)


_SIZE = re.compile(r"(?P<number>\d+\.?\d*|\.\d+)\s*(?P<unit>[kmgt])?(?P<binary>i)?b?")

SIZE = ByteSize()

"""A command of each verb that writes or starts something, with inputs that take it seconds."""

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "fixtures"))

import numpy as np
import onnx
from onnx import numpy_helper

from networks import sub_pixel_network
from subpixel.graph.metadata import with_spec
from subpixel.media.arrays import to_picture
from subpixel.media.image_file import write_picture
from subpixel.network.locate import locate
from subpixel.spec import ModelSpec

UPSCALE = ("upscale", "in", "-o", "out", "--model", "fast")
VERIFY = ("verify", "net.onnx", "--against", "bad.onnx", "--matrix", "--precision", "fp32")
KNOWN_JOURNALS = "cache/subpixel/jobs/"
EXPORT = ("export", "net.pth", "-o", "net.onnx", "--setting", "default")


@dataclass(frozen=True)
class Command:
    """A command line to kill."""

    name: str
    arguments: tuple[str, ...]
    prepare: Callable[[Path], None]
    """Puts its inputs into the folder that it runs in."""
    keeps: tuple[str, ...] = ()
    """Beginnings of the names of files that a killed run leaves for the next to go on with."""
    varies: tuple[str, ...] = ()
    """Beginnings of the names of files that have another name in each run."""
    codes: tuple[int, ...] = (0,)
    """Those with which an undisturbed run ends."""


def make_pictures(folder: Path) -> None:
    """One of each of six formats."""
    pictures = folder / "in"
    pictures.mkdir()
    random_numbers = np.random.default_rng(0)
    for number, suffix in enumerate((".png", ".jpg", ".webp", ".tif", ".avif", ".gif")):
        pixels = random_numbers.integers(0, 256, (120, 160, 3), np.uint8)
        write_picture(to_picture(pixels), pictures / f"{number}{suffix}")


def make_photographs(folder: Path) -> None:
    """Soft pictures, large enough for a crop of a preset's."""
    photographs = folder / "data"
    photographs.mkdir()
    across, down = np.meshgrid(np.linspace(0, 9, 144), np.linspace(0, 7, 144))
    for number in range(4):
        waves = np.stack([np.sin(across * (number + 1)), np.cos(down), np.sin(across + down)], -1)
        pixels = np.rint(127.5 * (1 + waves)).astype(np.uint8)
        write_picture(to_picture(pixels), photographs / f"{number}.png")


def make_checkpoint(folder: Path) -> None:
    """Of a small network, random weights."""
    import torch

    from subpixel.nets.architectures.plain import PlainNet

    torch.manual_seed(0)
    torch.save(PlainNet(3, channels=4, depth=1).state_dict(), folder / "net.pth")


def make_network(folder: Path) -> None:
    """A bundled one, as a file."""
    shutil.copyfile(locate("fast", 3), folder / "net.onnx")


def make_stranger(folder: Path) -> None:
    """A third-party file of two nodes."""
    onnx.save(sub_pixel_network(3), folder / "net.onnx")


def make_two_networks(folder: Path) -> None:
    """A network of two nodes, and the same with one weight changed."""
    model = with_spec(sub_pixel_network(3), ModelSpec("small", 2, "rgb", "rgb", halo=1))
    onnx.save(model, folder / "net.onnx")
    tensor = model.graph.initializer[0]
    changed = numpy_helper.to_array(tensor).copy()
    changed[0, 0, 0, 0] += 1
    tensor.CopyFrom(numpy_helper.from_array(changed, tensor.name))
    onnx.save(model, folder / "bad.onnx")


def make_network_and_photographs(folder: Path) -> None:
    """For what measures a network."""
    make_network(folder)
    make_photographs(folder)


COMMANDS = (
    Command("upscale", UPSCALE, make_pictures, varies=(KNOWN_JOURNALS,)),
    Command(
        "upscale-untrusted",
        (*UPSCALE, "--untrusted"),
        make_pictures,
        varies=(KNOWN_JOURNALS,),
    ),
    Command("compare", ("compare", "in/0.png", "in/1.jpg", "-o", "sheet.png"), make_pictures),
    Command("export", EXPORT, make_checkpoint),
    Command("adopt", ("adopt", "net.onnx", "-o", "adopted.onnx"), make_stranger),
    Command("info", ("info", "net.onnx"), make_stranger, codes=(0, 1)),
    Command(
        "quantize",
        ("quantize", "--model", "net.onnx", "-o", "int8.onnx", "--floor-db", "20"),
        make_network,
        codes=(0, 1),
    ),
    Command(
        "verify",
        (*VERIFY, "--html", "page.html"),
        make_two_networks,
        codes=(0, 1),
    ),
    Command(
        "bisect",
        ("bisect", "bad.onnx", "--against", "net.onnx", "-o", "case", "--size", "16x24"),
        make_two_networks,
        codes=(0, 1),
    ),
    Command(
        "train",
        ("train", "--data", "data", "--scale", "2", "-o", "net.onnx", "--preset", "smoke"),
        make_photographs,
        keeps=("work/net",),
        codes=(0, 1),
    ),
    Command(
        "evaluate",
        ("evaluate", "--model", "net.onnx", "--data", "data", "--pictures", "out"),
        make_network_and_photographs,
    ),
    Command(
        "tune",
        ("tune", "--model", "net.onnx", "--seconds", "2"),
        make_network,
        varies=("cache/subpixel/tuning/", "cache/subpixel/networks/"),
    ),
    Command("doctor", ("doctor",), lambda folder: None, codes=(0, 1)),
)
"""Those that fetch from the network are left out."""

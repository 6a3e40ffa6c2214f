"""Whole processes side by side: `subpixel upscale` and the reference's script.

    python benchmarks/whole_process.py --weights superres_epoch100-44c6958e.pth --photo cat.jpg

Every row is a process from its start to its end, the interpreter's start included; the rows take
turns, round after round, and each figure is the median of its rounds. Ratios are taken round by
round, so that a machine whose speed drifts does not spoil them. Needs the extra `test`.

The reference is PyTorch's tutorial on super-resolution with ONNX Runtime: a 224 x 224 picture,
luma through SuperResolutionNet at x3, chroma by Pillow's bicubic, merged and saved. `PICTURE` is
what is left of it without PyTorch; `WHOLE` is all of it, export, check and comparison included.
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from subpixel.parity.release import release
from subpixel.runtime.processors import processor_name
from subpixel.versions import installed_version

PICTURE = """
import numpy as np, onnxruntime, sys
from PIL import Image

def upscale(session, photo):
    y, cb, cr = Image.open(photo).resize((224, 224)).convert("YCbCr").split()
    luma = np.asarray(y, np.float32)[None, None] / 255
    (out,) = session.run(None, {session.get_inputs()[0].name: luma})
    y = Image.fromarray(np.uint8(np.clip(out[0, 0] * 255, 0, 255)))
    cb, cr = (plane.resize(y.size, Image.Resampling.BICUBIC) for plane in (cb, cr))
    Image.merge("YCbCr", [y, cb, cr]).convert("RGB").save("reference.jpg")

session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
upscale(session, sys.argv[2])
"""

WHOLE = (
    """
import numpy as np, onnx, onnxruntime, sys, torch, warnings
from subpixel.nets.superresolution import SuperResolutionNet
warnings.simplefilter("ignore")

net = SuperResolutionNet(3)
net.load_state_dict(torch.load(sys.argv[1], map_location="cpu", weights_only=True))
net.eval()
x = torch.randn(1, 1, 224, 224)
expected = net(x)
torch.onnx.export(net, x, "whole.onnx", export_params=True, opset_version=10, dynamo=False,
                  do_constant_folding=True, input_names=["input"], output_names=["output"],
                  dynamic_axes={"input": {0: "batch"}, "output": {0: "batch"}})
onnx.checker.check_model(onnx.load("whole.onnx"))
session = onnxruntime.InferenceSession("whole.onnx", providers=["CPUExecutionProvider"])
(found,) = session.run(None, {"input": x.numpy()})
np.testing.assert_allclose(expected.detach().numpy(), found, rtol=1e-3, atol=1e-5)
sys.argv = ["", "whole.onnx", sys.argv[2]]
"""
    + PICTURE
)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--weights", type=Path, required=True, help="the reference's checkpoint")
    options.add_argument("--photo", type=Path, required=True, help="the reference's picture")
    options.add_argument("--rounds", type=int, default=15)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = prepare(Path(folder), given.weights.resolve(), given.photo.resolve())
        seconds = measure(rows, Path(folder), given.rounds)
    print_table(seconds)


def prepare(folder: Path, weights: Path, photo: Path) -> dict[str, list[str]]:
    """The rows' commands by name; the files they need are put into ``folder``."""
    from PIL import Image

    with Image.open(photo) as image:
        image.resize((224, 224)).save(folder / "small.jpg", quality=95)
    release(weights, folder / "rgb.onnx")
    release(weights, folder / "luma.onnx", interface="native", exporter="trace", opset=10)
    (folder / "picture.py").write_text(PICTURE)
    (folder / "whole.py").write_text(WHOLE)
    subpixel = [str(Path(sys.executable).with_name("subpixel"))]
    upscale = [*subpixel, "upscale", "small.jpg", "-o", "ours.jpg", "--overwrite"]
    return {
        "reference's picture part": [sys.executable, "picture.py", "luma.onnx", "small.jpg"],
        "subpixel upscale, same network": [*upscale, "--model", "rgb.onnx"],
        "subpixel upscale, default network": upscale,
        "whole reference with PyTorch": [sys.executable, "whole.py", str(weights), "small.jpg"],
        "python -c pass": [sys.executable, "-c", "pass"],
        "import subpixel": [sys.executable, "-c", "import subpixel"],
        "subpixel --help": [*subpixel, "--help"],
    }


def measure(rows: dict[str, list[str]], folder: Path, rounds: int) -> dict[str, list[float]]:
    """Seconds by row and round, after one round that is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in rows}
    for _ in range(rounds + 1):
        for name, command in rows.items():
            seconds[name].append(wall_time(command, folder))
    return {name: values[1:] for name, values in seconds.items()}


def wall_time(command: Sequence[str], folder: Path) -> float:
    started = time.perf_counter()
    subprocess.run(command, cwd=folder, env=environment(), check=True, capture_output=True)
    return time.perf_counter() - started


def environment() -> dict[str, str]:
    """This process's, but that Python may keep compiled modules, as it does by default."""
    return {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


def print_table(seconds: dict[str, list[float]]) -> None:
    base = next(iter(seconds.values()))
    print(
        f"{processor_name()}, Python {platform.python_version()}, "
        f"onnxruntime {installed_version('onnxruntime')}, torch {installed_version('torch')}"
    )
    print(f"{len(base)} rounds\n")
    print("| whole process, 224 x 224 to 672 x 672 | median, s | ratio to the first |")
    print("|---|---|---|")
    for name, values in seconds.items():
        ratio = statistics.median(b / a for a, b in zip(base, values, strict=True))
        print(f"| {name} | {statistics.median(values):.3f} | {ratio:.2f} |")


if __name__ == "__main__":
    main()

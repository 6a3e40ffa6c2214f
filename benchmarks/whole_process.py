"""Whole processes: `subpixel upscale`, the least there is to do, the reference's script.

    python benchmarks/whole_process.py FOLDER

Every row is a process from its start to its end, the interpreter's start included: a JPEG of
224 x 224 to one of 672 x 672. FOLDER holds the files of networks.py.

The minimum is a session, one run, and a file in and out. The reference is PyTorch's tutorial on
super-resolution with ONNX Runtime: luma through SuperResolutionNet at x3, chroma by Pillow's
bicubic, merged and saved. `PICTURE` is what is left of it without PyTorch; `WHOLE` is all of it,
export, check and comparison included.
"""

import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import pyvips
from interleaved import Cell, Share, in_turns, ratio, run_command
from machine import machine_line
from network_files import SCALE, Files
from photograph import photograph

from subpixel.zoo.manifest import DEFAULT_NETWORK, find_bundled

SIDE = 224

MINIMUM_SCRIPT = """
import numpy as np, onnxruntime, pyvips, sys

session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
rgb = pyvips.Image.new_from_file(sys.argv[2]).numpy()
picture = np.ascontiguousarray(rgb.transpose(2, 0, 1)[None], np.float32) / 255
(out,) = session.run(None, {session.get_inputs()[0].name: picture})
larger = np.uint8(np.clip(out[0], 0, 1).transpose(1, 2, 0) * 255 + 0.5)
pyvips.Image.new_from_array(larger).write_to_file("minimum.jpg")
"""

MINIMUM_PILLOW = """
import numpy as np, onnxruntime, sys
from PIL import Image

session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
rgb = np.asarray(Image.open(sys.argv[2]))
picture = np.ascontiguousarray(rgb.transpose(2, 0, 1)[None], np.float32) / 255
(out,) = session.run(None, {session.get_inputs()[0].name: picture})
larger = np.uint8(np.clip(out[0], 0, 1).transpose(1, 2, 0) * 255 + 0.5)
Image.fromarray(larger).save("minimum.jpg")
"""

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
from subpixel.nets.architectures.superresolution import SuperResolutionNet
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


MINIMUM = "minimum: NumPy, ONNX Runtime, libvips; the tutorial's network"
MINIMUM_DEFAULT = f"the same minimum; `{DEFAULT_NETWORK}`"
OURS = "`subpixel upscale`, the tutorial's network"
OURS_DEFAULT = f"`subpixel upscale`, `{DEFAULT_NETWORK}`"


def main() -> None:
    files = Files(Path(sys.argv[1]).resolve())
    print(machine_line("onnxruntime", "pyvips", "torch"))
    cells = measure(files, Share(5, 15, 120.0))
    for name, cell in cells.items():
        print(f"{cell.seconds:.3f} s  {ratio(cell, cells[MINIMUM]):.2f}  {name}")


def measure(files: Files, share: Share) -> dict[str, Cell]:
    """Every row's process, in turns, after a round that is not counted."""
    picture = files.folder / "small.jpg"
    pyvips.Image.new_from_array(photograph(SIDE)).write_to_file(str(picture), Q=95)
    commands = _commands(files, picture.name)
    rows = {name: partial(run_command, c, files.folder) for name, c in commands.items()}
    in_turns(rows, Share(1, 1, 0.0))
    return in_turns(rows, share)


def _commands(files: Files, picture: str) -> Mapping[str, Sequence[str]]:
    python = [sys.executable, "-c"]
    subpixel = [str(Path(sys.executable).with_name("subpixel"))]
    upscale = [*subpixel, "upscale", picture, "-o", "ours.jpg", "--overwrite"]
    rgb, default = str(files.rgb), str(find_bundled(DEFAULT_NETWORK, SCALE).path)
    return {
        MINIMUM: [*python, MINIMUM_SCRIPT, rgb, picture],
        OURS: [*upscale, "--model", rgb],
        MINIMUM_DEFAULT: [*python, MINIMUM_SCRIPT, default, picture],
        OURS_DEFAULT: [*upscale, "--model", DEFAULT_NETWORK, "--precision", "fp32"],
        "the same minimum, Pillow for libvips; the tutorial's network": [
            *(*python, MINIMUM_PILLOW, rgb, picture)
        ],
        "the tutorial's picture part": [*python, PICTURE, str(files.luma), picture],
        "the whole tutorial, with PyTorch": [*python, WHOLE, str(files.checkpoint), picture],
        "`python -c pass`": [*python, "pass"],
        "`python -c 'import subpixel'`": [*python, "import subpixel"],
        "`subpixel --help`": [*subpixel, "--help"],
    }


if __name__ == "__main__":
    main()

"""Rebuild the bundled networks and their manifest from the weights in weights/.

    python scripts/bundle.py --data FOLDER

FOLDER holds the benchmark sets Set5, Set14 (GT/, x2/, x3/, x4/) and BSD100 (GT/). Every network is
exported, checked, proven equal to PyTorch, and measured as its users will run it: the ONNX file,
8-bit RGB in and out.
"""

import argparse
import hashlib
import sys
from dataclasses import replace
from pathlib import Path

import onnx
from safetensors import safe_open

from subpixel.graph.cost import multiply_adds_per_pixel, parameters
from subpixel.measure.evaluate import benchmark, evaluate
from subpixel.nets.checkpoint import load_checkpoint
from subpixel.parity.release import release
from subpixel.upscaler import Upscaler
from subpixel.zoo.manifest import FOLDER as ZOO

WEIGHTS = Path(__file__).resolve().parents[1] / "weights"
BENCHMARKS = ("Set5", "Set14", "BSD100")
LICENCE = "Apache-2.0"
TRAINING_DATA = "40 photographs, CC0-1.0, CC-BY-4.0 and CC-BY-SA: credits in docs/models.md"

HEAD = """\
# The bundled networks. Written by scripts/bundle.py; figures are Y-PSNR in dB by the protocol of
# subpixel.measure.evaluate, taken on these very files.
"""


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--data", type=Path, required=True, help="the folder of benchmark sets")
    data: Path = options.parse_args().data
    rows = [bundle(checkpoint, data) for checkpoint in sorted(WEIGHTS.glob("*.safetensors"))]
    (ZOO / "manifest.toml").write_text("\n".join([HEAD, *rows]))
    return 0


def bundle(checkpoint: Path, data: Path) -> str:
    """Release one checkpoint into the zoo and return its row of the manifest."""
    loaded = load_checkpoint(checkpoint)
    name = checkpoint.stem.rpartition("-")[0]
    origin = f"trained by the subpixel project on {TRAINING_DATA}"
    spec = replace(loaded.spec, name=name, licence=LICENCE, origin=origin)
    file = ZOO / f"{checkpoint.stem}.onnx"
    report = release(loaded.module, file, spec=spec, overwrite=True)
    if not report:
        sys.exit(f"{checkpoint}: failed its checks: {report}")
    with safe_open(checkpoint, "numpy") as weights:
        steps = int(weights.metadata()["steps"])
    return row(file, name, spec.scale, steps, data)


def row(file: Path, name: str, scale: int, steps: int, data: Path) -> str:
    model, upscaler = onnx.load(file), Upscaler(file)
    results = {s: evaluate(upscaler, benchmark(data / s, scale)) for s in BENCHMARKS}
    psnr = ", ".join(f"{s} = {found.network.psnr:.2f}" for s, found in results.items())
    bicubic = ", ".join(f"{s} = {found.bicubic.psnr:.2f}" for s, found in results.items())
    return f"""\
[[network]]
name = "{name}"
scale = {scale}
file = "{file.name}"
sha256 = "{hashlib.sha256(file.read_bytes()).hexdigest()}"
licence = "{LICENCE}"
training_data = "{TRAINING_DATA}"
steps = {steps}
parameters = {parameters(model)}
multiply_adds = {round(multiply_adds_per_pixel(model) or 0)}
psnr = {{ {psnr} }}
bicubic_psnr = {{ {bicubic} }}
"""


if __name__ == "__main__":
    sys.exit(main())

"""The reference's network as files: as the reference exports it, in int8, and for ncnn.

    python benchmarks/networks.py FOLDER superres_epoch100-44c6958e.pth PHOTOGRAPHS

Run by performance.py, in a process of its own: it needs PyTorch, and no proof, as each row of the
page is compared with PyTorch's result. Prints the network's multiply-adds per pixel.
"""

import json
import os
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from network_files import CHECKED, SCALE, Files
from onnx import numpy_helper
from photograph import photograph, planes

from subpixel.cli.main import VERBS
from subpixel.graph.geometry.cost import multiply_adds_per_pixel
from subpixel.graph.int8.quantize import to_int8
from subpixel.graph.metadata import with_spec
from subpixel.graph.passes.wrap import rgb_from_luma
from subpixel.imaging.resample import BICUBIC_HALO
from subpixel.nets.checkpoints.checkpoint import load_checkpoint
from subpixel.nets.export.attempt import list_attempts
from subpixel.nets.export.export import ExportResult, export_attempt
from subpixel.nets.export.exporters import DEFAULT_OPSET
from subpixel.nets.torch_op import Module, TorchOp
from subpixel.parity.calibration import folder_pictures

OPSET = 10
"""The reference's."""

TUNED_FOR = 40
"""Seconds after which `subpixel tune` begins no further round."""


def main() -> None:
    """Make them; int8 is calibrated on the folder of photographs."""
    folder, weights, photographs = map(Path, sys.argv[1:])
    files = Files(folder)
    files.checkpoint.write_bytes(weights.read_bytes())
    loaded = load_checkpoint(weights)
    by_trace = list_attempts(loaded.spec, "trace", OPSET)[0]
    traced = export_attempt(loaded.module, loaded.spec, by_trace, OPSET).model
    onnx.save(traced, files.luma)
    first = list_attempts(loaded.spec, None, DEFAULT_OPSET)[0]
    exported = export_attempt(loaded.module, loaded.spec, first, DEFAULT_OPSET)
    onnx.save(exported.model, files.luma_new)
    _write_rgb(exported, files.rgb)
    pictures = folder_pictures(photographs, exported.spec)
    onnx.save(to_int8(exported.model, pictures), files.luma_int8)
    _quantise(files.rgb, files.rgb_int8, photographs)
    if "tune" in VERBS:
        _tune(files)
    _write_ncnn(traced, files)
    _write_expected(loaded.module, files.expected)
    print(json.dumps(multiply_adds_per_pixel(exported.model)))


def _write_rgb(exported: ExportResult, file: Path) -> None:
    spec = exported.spec
    halo = None if spec.halo is None else max(spec.halo, BICUBIC_HALO)
    model = rgb_from_luma(exported.model, spec.scale)
    onnx.save(with_spec(model, replace(spec, interface="rgb", halo=halo)), file)


def _write_expected(module: Module, file: Path) -> None:
    np.save(file, TorchOp(module)(planes(photograph(CHECKED)))[0, 0])


def _quantise(file: Path, out: Path, photographs: Path) -> None:
    command = [sys.executable, "-m", "subpixel", "quantize", "--model", str(file), "-o", str(out)]
    command += ["--calibration", str(photographs)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _tune(files: Files) -> None:
    environment = os.environ | {"XDG_CACHE_HOME": str(files.tuned)}
    command = [sys.executable, "-m", "subpixel", "tune", "--seconds", str(TUNED_FOR), "--model"]
    for model in (str(files.rgb), "fast"):
        subprocess.run([*command, model], check=True, stdout=subprocess.DEVNULL, env=environment)


def _write_ncnn(model: onnx.ModelProto, files: Files) -> None:
    """The chain of convolutions, ReLU between them and pixel shuffle at the end, in ncnn's formats.

    Layers and the numbers of their parameters: ncnn's wiki, "operation param weight table"; every
    convolution's weights begin with a tag of four bytes, zero for float32.
    """
    initializers = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    lines, binary = ["Input input 0 1 input"], b""
    source = "input"
    for index, node in enumerate(convolutions):
        weights, bias = (initializers[name] for name in node.input[1:])
        relu = int(index < len(convolutions) - 1)
        lines.append(
            f"Convolution conv{index} 1 1 {source} conv{index} 0={weights.shape[0]} "
            f"1={weights.shape[3]} 4={weights.shape[3] // 2} 5=1 6={weights.size} 9={relu}"
        )
        binary += struct.pack("<I", 0) + weights.tobytes() + bias.tobytes()
        source = f"conv{index}"
    lines.append(f"PixelShuffle shuffle 1 1 {source} output 0={SCALE}")
    head = ["7767517", f"{len(lines)} {len(lines)}"]
    files.ncnn_parameters.write_text("\n".join([*head, *lines]) + "\n", "utf-8")
    files.ncnn_weights.write_bytes(binary)


if __name__ == "__main__":
    main()

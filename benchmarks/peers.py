"""Every way to enlarge a picture ×3 that the performance page compares, by name.

Each is opened in a process of its own (worker.py), so a library is imported by its own row alone.
Peers get the reference's network on luma, float32 in and out, which is less work than a picture:
subpixel's rows, the tutorial's and interpolation make an RGB picture of 8 bits out of one.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any, Literal

import numpy as np
from network_files import SCALE, Files
from numpy.typing import NDArray
from photograph import Luma, Rgb, planes

from subpixel.cli.main import VERBS

Kind = Literal["subpixel", "bundled", "peer", "tutorial", "floor", "ceiling"]


@dataclass(frozen=True)
class Setting:
    """Where a peer finds its files, and where it runs."""

    files: Files
    device: str
    """``cpu`` or ``cuda``; rows for the processor alone don't look at it."""


@dataclass(frozen=True)
class Engine:
    """A peer that is open. ``run`` is timed, what ``prepare`` makes of a picture for it is not."""

    run: Callable[[Any], Any]
    prepare: Callable[[Rgb], Any]


@dataclass(frozen=True)
class Peer:
    """One row."""

    name: str
    kind: Kind
    open: Callable[[Setting], Engine]
    precision: str = ""


def as_it_is(rgb: Rgb) -> Rgb:
    return rgb


def _subpixel(setting: Setting, file: Callable[[Files], Any]) -> Engine:
    from subpixel.upscaling.upscaler import Upscaler

    return Engine(Upscaler(file(setting.files), device=setting.device, tuning=False), as_it_is)


def _bundled(setting: Setting, name: str) -> Engine:
    """The file of that name: a name alone would be computed in integers."""
    from subpixel.zoo.manifest import find_bundled

    return _subpixel(setting, lambda files: find_bundled(name, SCALE).path)


def _tuned(setting: Setting, model: str) -> Engine:
    """In the setting that ``subpixel tune`` found (networks.py)."""
    os.environ["XDG_CACHE_HOME"] = str(setting.files.tuned)
    from subpixel.upscaling.upscaler import Upscaler

    return Engine(Upscaler(model or str(setting.files.rgb)), as_it_is)


def _onnxruntime(setting: Setting, file: Callable[[Files], Any]) -> Engine:
    """As the tutorial does: no options."""
    import onnxruntime

    providers = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
    session = onnxruntime.InferenceSession(
        file(setting.files), providers=[providers[setting.device]]
    )
    name = session.get_inputs()[0].name
    return Engine(lambda picture: session.run(None, {name: picture})[0], planes)


def _tutorial(setting: Setting) -> Engine:
    """The tutorial's picture part: luma by the network, chroma by Pillow, merged."""
    from PIL import Image

    network = _onnxruntime(setting, lambda files: files.luma)

    def run(rgb: Rgb) -> Rgb:
        y, cb, cr = Image.fromarray(rgb).convert("YCbCr").split()
        enlarged = network.run(np.asarray(y, np.float32)[None, None] / 255)
        y = Image.fromarray(np.uint8(np.clip(enlarged[0, 0] * 255, 0, 255)))
        chroma = (plane.resize(y.size, Image.Resampling.BICUBIC) for plane in (cb, cr))
        return np.asarray(Image.merge("YCbCr", [y, *chroma]).convert("RGB"))

    return Engine(run, as_it_is)


def _pytorch(
    setting: Setting, *, compiled: bool = False, half: bool = False, transfers: bool = False
) -> Engine:
    """``transfers`` counts the picture's way to the device and back."""
    import torch

    from subpixel.nets.architectures.superresolution import SuperResolutionNet

    dtype = torch.float16 if half else torch.float32
    network = SuperResolutionNet(SCALE)
    weights = torch.load(setting.files.checkpoint, map_location="cpu", weights_only=True)
    network.load_state_dict(weights)
    network = network.eval().to(setting.device, dtype)
    forward = torch.compile(network, dynamic=True) if compiled else network

    def there(picture: torch.Tensor) -> torch.Tensor:
        return picture.to(setting.device, dtype)

    @torch.inference_mode()
    def run(picture: torch.Tensor) -> torch.Tensor:
        enlarged = forward(there(picture) if transfers else picture)
        if transfers:
            return enlarged.cpu()
        if setting.device == "cuda":
            torch.cuda.synchronize()
        return enlarged

    def prepare(rgb: Rgb) -> torch.Tensor:
        picture = torch.from_numpy(planes(rgb))
        return picture if transfers else there(picture)

    return Engine(run, prepare)


def _openvino(setting: Setting, file: Callable[[Files], Any], precision: str) -> Engine:
    import openvino

    hint = "INFERENCE_PRECISION_HINT"
    compiled = openvino.Core().compile_model(file(setting.files), "CPU", {hint: precision})
    took = compiled.get_property(hint).to_string()
    if took != precision:
        raise ValueError(f"this processor has no {precision}: OpenVINO takes {took}")
    return Engine(lambda picture: compiled([picture])[0], planes)


def _ncnn(setting: Setting, *, exact: bool) -> Engine:
    """``exact`` False leaves ncnn's options as they are: 16 bits where it thinks that fit."""
    import ncnn

    network = ncnn.Net()
    if exact:
        network.opt.use_fp16_packed = network.opt.use_fp16_storage = False
        network.opt.use_fp16_arithmetic = False
    network.load_param(str(setting.files.ncnn_parameters))
    network.load_model(str(setting.files.ncnn_weights))

    def run(picture: Luma) -> Luma:
        extractor = network.create_extractor()
        extractor.input("input", ncnn.Mat(picture))
        code, enlarged = extractor.extract("output")
        if code:
            raise MemoryError(f"out of memory? ncnn says {code}")
        return np.array(enlarged)

    return Engine(run, lambda rgb: planes(rgb)[0])


def _opencv_network(setting: Setting) -> Engine:
    import cv2

    network = cv2.dnn.readNetFromONNX(str(setting.files.luma_new))

    def run(picture: Luma) -> Luma:
        network.setInput(picture)
        enlarged: Luma = network.forward()
        return enlarged

    return Engine(run, planes)


def _pillow(setting: Setting) -> Engine:  # noqa: ARG001 - needs no file
    from PIL import Image

    def run(rgb: Rgb) -> Rgb:
        size = (rgb.shape[1] * SCALE, rgb.shape[0] * SCALE)
        return np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.BICUBIC))

    return Engine(run, as_it_is)


def _libvips(setting: Setting) -> Engine:  # noqa: ARG001 - needs no file
    import pyvips

    def run(rgb: Rgb) -> Rgb:
        enlarged: Rgb = pyvips.Image.new_from_array(rgb).resize(SCALE, kernel="cubic").numpy()
        return enlarged

    return Engine(run, as_it_is)


def _opencv(setting: Setting, method: str) -> Engine:  # noqa: ARG001 - needs no file
    import cv2

    how = getattr(cv2, method)
    return Engine(
        lambda rgb: cv2.resize(rgb, None, fx=SCALE, fy=SCALE, interpolation=how), as_it_is
    )


PRODUCT = 2048
"""Rows and columns of the matrices that are multiplied: 17.2 GFLOP."""

COPIED = 256 * 1024**2
"""Bytes that are copied, far more than caches hold."""


def _numpy_product(setting: Setting) -> Engine:  # noqa: ARG001 - needs no file
    matrix = np.random.default_rng(0).random((PRODUCT, PRODUCT), np.float32)
    return Engine(lambda other: matrix @ other, lambda rgb: matrix.T.copy())


def _onnxruntime_product(setting: Setting, operator: str, left: Any, right: Any) -> Engine:  # noqa: ANN401, ARG001
    import onnx
    import onnxruntime

    def values(dtype: Any) -> NDArray[Any]:  # noqa: ANN401 - NumPy's
        return np.random.default_rng(0).integers(0, 64, (PRODUCT, PRODUCT)).astype(dtype)

    def end(name: str, dtype: Any) -> onnx.ValueInfoProto:  # noqa: ANN401 - NumPy's
        kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        return onnx.helper.make_tensor_value_info(name, kind, None)

    result = np.float32 if left is np.float32 else np.int32
    weights = onnx.numpy_helper.from_array(values(right), "b")
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node(operator, ["a", "b"], ["c"])],
        "product",
        [end("a", left)],
        [end("c", result)],
        [weights],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)])
    model.ir_version = 8
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return Engine(lambda a: session.run(None, {"a": a}), lambda rgb: values(left))


def _copy(setting: Setting) -> Engine:  # noqa: ARG001 - needs no file
    source, target = (np.zeros(COPIED, np.uint8) for _ in range(2))
    target[:] = 1  # its pages are there now
    source[:] = 2
    return Engine(lambda _: np.copyto(target, source), as_it_is)


BASE = "ONNX Runtime, as the tutorial uses it"
TUTORIAL = "the tutorial's picture part"
FLOOR = "Pillow bicubic"
PRODUCTS = ("product, float32, NumPy", "product, float32, ONNX Runtime")
PRODUCT_INT8 = "product, int8, ONNX Runtime"
COPY = "memcpy"

# The order in which they take turns: what runs out of time is what comes last.
_ALL = (
    Peer(BASE, "peer", partial(_onnxruntime, file=lambda files: files.luma), "fp32"),
    Peer(TUTORIAL, "tutorial", _tutorial, "fp32"),
    Peer("subpixel", "subpixel", partial(_subpixel, file=lambda files: files.rgb), "fp32"),
    Peer(
        "subpixel, int8", "subpixel", partial(_subpixel, file=lambda files: files.rgb_int8), "int8"
    ),
    Peer("subpixel, tuned", "subpixel", partial(_tuned, model=""), "tuned"),
    Peer("balanced", "bundled", partial(_bundled, name="balanced"), "fp32"),
    Peer("balanced-int8", "bundled", partial(_bundled, name="balanced-int8"), "int8"),
    Peer("espcn", "bundled", partial(_bundled, name="espcn"), "fp32"),
    Peer("espcn-int8", "bundled", partial(_bundled, name="espcn-int8"), "int8"),
    Peer("fast", "bundled", partial(_bundled, name="fast"), "fp32"),
    Peer("fast-int8", "bundled", partial(_bundled, name="fast-int8"), "int8"),
    Peer("fast, tuned", "bundled", partial(_tuned, model="fast"), "tuned"),
    Peer(FLOOR, "floor", _pillow),
    Peer("libvips bicubic", "floor", _libvips),
    Peer("OpenCV bicubic", "floor", partial(_opencv, method="INTER_CUBIC")),
    Peer("OpenCV Lanczos", "floor", partial(_opencv, method="INTER_LANCZOS4")),
    Peer("PyTorch", "peer", _pytorch, "fp32"),
    Peer("PyTorch, torch.compile", "peer", partial(_pytorch, compiled=True), "fp32"),
    Peer(
        "OpenVINO, f32",
        "peer",
        partial(_openvino, file=lambda f: f.luma_new, precision="f32"),
        "fp32",
    ),
    Peer(
        "OpenVINO, bf16",
        "peer",
        partial(_openvino, file=lambda f: f.luma_new, precision="bf16"),
        "bf16",
    ),
    Peer(
        "OpenVINO, int8",
        "peer",
        partial(_openvino, file=lambda f: f.luma_int8, precision="f32"),
        "int8",
    ),
    Peer("ONNX Runtime, int8", "peer", partial(_onnxruntime, file=lambda f: f.luma_int8), "int8"),
    Peer("ncnn, f32", "peer", partial(_ncnn, exact=True), "fp32"),
    Peer("ncnn, as it comes", "peer", partial(_ncnn, exact=False), "ncnn's choice"),
    Peer("OpenCV dnn", "peer", _opencv_network, "fp32"),
    Peer(PRODUCTS[0], "ceiling", _numpy_product),
    Peer(
        PRODUCTS[1],
        "ceiling",
        partial(_onnxruntime_product, operator="MatMul", left=np.float32, right=np.float32),
    ),
    Peer(
        PRODUCT_INT8,
        "ceiling",
        partial(_onnxruntime_product, operator="MatMulInteger", left=np.uint8, right=np.int8),
    ),
    Peer(COPY, "ceiling", _copy),
)

PEERS: Mapping[str, Peer] = {
    peer.name: peer for peer in _ALL if "tune" in VERBS or peer.precision != "tuned"
}


def _on_device() -> Mapping[str, Peer]:
    """Rows for one device's images per second: PyTorch in every way, and what PEERS has."""
    found = {name: PEERS[name] for name in ("subpixel", "balanced", "fast", BASE)}
    for half, compiled, transfers in product((False, True), repeat=3):
        precision = "fp16" if half else "fp32"
        how = ", torch.compile" * compiled + ", with transfers" * transfers
        name = f"PyTorch, {precision}{how}"
        opened = partial(_pytorch, compiled=compiled, half=half, transfers=transfers)
        found[name] = Peer(name, "peer", opened, precision)
    return found


ON_DEVICE = _on_device()

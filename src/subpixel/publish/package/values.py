"""What the templates of packages say of a network."""

import re
from collections.abc import Mapping

import onnx
from onnx import TensorProto

from subpixel.errors import NetworkError
from subpixel.publish.package.golden import Golden
from subpixel.spec import ModelSpec

PINS: Mapping[str, str] = {
    "numpy": "2.4.6",
    "onnxruntime": "1.32.0",
    "pillow": "13.0.0",
    "onnxruntime_node": "1.30.0",
    "pngjs": "7.0.0",
    "onnxruntime_mobile": "1.27.0",
    "azureml_server": "1.5.1",
}
"""The versions that the programs were tried with; those of Python are those of constraints.txt."""

LOSSES = (
    "A picture's colour profile is kept. EXIF, XMP, IPTC, text, resolution, gain maps and colours "
    "told by numbers\n(a PNG's gAMA, cHRM, cICP) are lost; several frames and transparency are "
    "refused."
)
"""What becomes of all that is no pixel, by the programs of every package."""

MAX_SLUG = 32
"""Azure's limit for the name of an endpoint."""

TRITON_TYPES: Mapping[int, str] = {
    TensorProto.FLOAT: "TYPE_FP32",
    TensorProto.UINT8: "TYPE_UINT8",
}


def template_values(model: onnx.ModelProto, spec: ModelSpec, golden: Golden) -> Mapping[str, str]:
    """What templates may name."""
    (height, width, _), graph = golden.codes.shape, model.graph
    return {
        **PINS,
        "name": spec.name,
        "slug": make_slug(spec),
        "scale": str(spec.scale),
        "licence": spec.licence,
        "sha256": golden.sha256,
        "size": f"{width}×{height}",
        "promise": _promise(golden),
        "limits": _describe_limits(spec),
        "losses": LOSSES,
        "takes_codes": "true" if spec.samples == "uint8" else "false",
        "input": graph.input[0].name,
        "output": graph.output[0].name,
        "python": "3.12",
        "triton_inputs": _triton_end(graph.input[0]),
        "triton_outputs": _triton_end(graph.output[0]),
    }


def make_slug(spec: ModelSpec) -> str:
    """A name that Kubernetes, Triton and Azure admit: lower case, digits and hyphens."""
    words = re.findall("[a-z0-9]+", f"{spec.name} x{spec.scale}".lower())
    slug = "-".join(words)[:MAX_SLUG].strip("-")
    return slug if slug[0].isalpha() else f"network-{slug}"[:MAX_SLUG]


def _promise(golden: Golden) -> str:
    if golden.values is None:
        return f"the same bits everywhere: sha256 {golden.sha256} of the RGB bytes"
    return "equal within float32's rounding: no 8-bit value differs by more than 1"


def _describe_limits(spec: ModelSpec) -> str:
    """Which pictures the network takes, in a sentence."""
    if spec.fixed_size is not None:
        return "It takes pictures of {}×{} pixels (height×width) alone.".format(*spec.fixed_size)
    parts = ["It takes pictures of any size that fits the memory"]
    if spec.size_maximum:
        parts.append(f"up to {spec.size_maximum} pixels a side")
    if spec.size_multiple > 1 and not spec.pads:
        parts.append(f"in multiples of {spec.size_multiple} pixels")
    if spec.size_minimum > 1 and not spec.pads:
        parts.append(f"from {spec.size_minimum} pixels a side")
    if spec.square and not spec.pads:
        parts.append("square")
    return ", ".join(parts) + "; RGB, without transparency."


def _triton_end(end: onnx.ValueInfoProto) -> str:
    """An input or an output in Triton's text format; -1 is a free length."""
    tensor = end.type.tensor_type
    if tensor.elem_type not in TRITON_TYPES:
        raise NetworkError(
            f"its {end.name} is neither float32 nor uint8, which is what the programs take; export "
            "the network again, or subpixel adopt the file"
        )
    sides = [dim.dim_value or -1 for dim in tensor.shape.dim]
    kind, dims = TRITON_TYPES[tensor.elem_type], ", ".join(map(str, sides))
    return f'[\n  {{\n    name: "{end.name}"\n    data_type: {kind}\n    dims: [ {dims} ]\n  }}\n]'

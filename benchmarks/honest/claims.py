"""Facts of a file that are so, though they aren't those that an export writes."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import onnx
from faults.fault import Random

from subpixel.graph.metadata import read_spec, with_spec
from subpixel.spec import ModelSpec

Claim = Callable[[onnx.ModelProto, Random], onnx.ModelProto | None]
"""None where the file can't say so."""


def as_exported(model: onnx.ModelProto, _: Random) -> onnx.ModelProto:
    return model


def nothing(model: onnx.ModelProto, _: Random) -> onnx.ModelProto:
    """A stranger's file."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    del result.metadata_props[:]
    return result


def larger_halo(model: onnx.ModelProto, random: Random) -> onnx.ModelProto | None:
    spec = _facts(model)
    if spec.halo is None:
        return None
    return with_spec(model, replace(spec, halo=spec.halo + int(random.integers(1, 20))))


def no_halo(model: onnx.ModelProto, _: Random) -> onnx.ModelProto:
    """Nothing is said of how far it looks: tiles are not used."""
    return with_spec(model, replace(_facts(model), halo=None))


def greatest_size(model: onnx.ModelProto, random: Random) -> onnx.ModelProto:
    step = _facts(model).size_multiple
    most = int(random.integers(60, 600)) // step * step
    return with_spec(model, replace(_facts(model), size_maximum=most))


def least_size(model: onnx.ModelProto, random: Random) -> onnx.ModelProto | None:
    """More than the network needs; the file itself still takes less."""
    spec = _facts(model)
    if spec.pads:
        return None
    least = int(random.integers(2, 20)) * spec.size_multiple
    return with_spec(model, replace(spec, size_minimum=least))


def coarser_multiple(model: onnx.ModelProto, random: Random) -> onnx.ModelProto | None:
    spec = _facts(model)
    if spec.pads:
        return None
    return with_spec(model, replace(spec, size_multiple=spec.size_multiple * _times(random)))


def _times(random: Random) -> int:
    return int(random.integers(2, 5))


def one_picture(model: onnx.ModelProto, _: Random) -> onnx.ModelProto:
    """A batch of 1 alone, in the graph as in the facts."""
    spec = replace(_facts(model), fixed_batch=1)
    return with_spec(_fixed(model, {0: 1}, spec.scale), spec)


def one_size(model: onnx.ModelProto, random: Random) -> onnx.ModelProto:
    spec = _facts(model)
    height, width = (int(random.integers(10, 90)) * spec.size_multiple for _ in range(2))
    fixed = _fixed(model, {2: height, 3: width}, spec.scale)
    return with_spec(fixed, replace(spec, fixed_size=(height, width)))


def _facts(model: onnx.ModelProto) -> ModelSpec:
    spec = read_spec(model)
    assert spec is not None, "hosts carry their facts"
    return spec


def _fixed(model: onnx.ModelProto, axes: Mapping[int, int], scale: int) -> onnx.ModelProto:
    """The graph with these axes of picture and result fixed, and no shape known in between."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    del result.graph.value_info[:]
    ends = ((result.graph.input[0], 1), (result.graph.output[0], scale))
    for end, grown in ends:
        dimensions = end.type.tensor_type.shape.dim
        for axis, value in axes.items():
            if dimensions:
                dimensions[axis].dim_value = value * (grown if axis else 1)
    return result


CLAIMS: Mapping[str, Claim] = {
    function.__name__.replace("_", " "): function
    for function in (
        as_exported,
        nothing,
        larger_halo,
        no_halo,
        greatest_size,
        least_size,
        coarser_multiple,
        one_picture,
        one_size,
    )
}

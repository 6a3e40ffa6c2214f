"""Facts that a file carries about itself and that are not so."""

from collections.abc import Callable
from dataclasses import replace

import onnx

from faults.changes import Change
from faults.fault import Edit, Maker, Random, Sight
from faults.splice import Splice
from subpixel.graph.metadata import read_spec, with_spec
from subpixel.spec import ModelSpec

Claim = Callable[[ModelSpec, Random], ModelSpec | None]
"""Facts that differ from those that are so; None where there is nothing to lie about."""


def claimed(claim: Claim) -> Maker:
    """The graph as it is, with other facts."""

    def make(model: onnx.ModelProto, random: Random) -> Edit | None:
        spec = read_spec(model)
        assert spec is not None, "hosts carry their facts"
        lie = claim(spec, random)
        if lie is None or lie == spec:
            return None
        return Edit(with_spec(model, lie), frozenset(), (Sight(61, 47, "photo"),))

    return make


def claimed_over(claim: Claim, change: Change) -> Maker:
    """Other facts that make a changed picture look allowed."""

    def make(model: onnx.ModelProto, random: Random) -> Edit | None:
        splice = Splice(model, model.graph.output[0].name)
        result = change(splice, random)
        if result is None:
            return None
        changed, names = splice.finish(result)
        edit = claimed(claim)(changed, random)
        return None if edit is None else replace(edit, nodes=names)

    return make


def no_halo(spec: ModelSpec, _: Random) -> ModelSpec | None:
    return replace(spec, halo=0) if spec.halo else None


def small_halo(spec: ModelSpec, random: Random) -> ModelSpec | None:
    return replace(spec, halo=int(random.integers(spec.halo))) if spec.halo else None


def a_halo(spec: ModelSpec, random: Random) -> ModelSpec | None:
    """Of a network that sees the whole picture."""
    return replace(spec, halo=int(random.integers(20))) if spec.halo is None else None


def no_multiple(spec: ModelSpec, _: Random) -> ModelSpec | None:
    return replace(spec, size_multiple=1) if spec.size_multiple > 1 and not spec.pads else None


def it_pads(spec: ModelSpec, _: Random) -> ModelSpec | None:
    return replace(spec, pads=True) if spec.size_multiple > 1 and not spec.pads else None


def another_scale(spec: ModelSpec, _: Random) -> ModelSpec:
    return replace(spec, scale=spec.scale + 1)


def another_interface(spec: ModelSpec, _: Random) -> ModelSpec:
    return replace(spec, interface="luma" if spec.interface == "rgb" else "rgb")


def half_precision(spec: ModelSpec, _: Random) -> ModelSpec:
    return replace(spec, precision="fp16")


def bytes_for_floats(spec: ModelSpec, _: Random) -> ModelSpec:
    return replace(spec, samples="uint8")

"""An honest file drawn from a seed: a network, exported in some way, rewritten, described."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from faults.fault import Random
from faults.generator import is_valid
from torch import Tensor

from honest.claims import CLAIMS
from honest.rewritings import WRITINGS
from honest.sources import KINDS, Source, draw_source
from subpixel.errors import ExportError
from subpixel.graph.metadata import read_spec, with_spec
from subpixel.spec import Exporter

ROADS: tuple[tuple[Exporter, int], ...] = (
    ("trace", 11),
    ("trace", 13),
    ("trace", 16),
    ("trace", 18),
    ("trace", 20),
    ("trace", 23),
    ("dynamo", 18),
    ("dynamo", 20),
    ("dynamo", 22),
)
"""Exporters and opsets."""

TRIES = 40
"""How many ways are tried: not every network, graph and tool goes with every other."""


@dataclass(frozen=True, eq=False)
class Honest:
    """A file that does what its reference does."""

    network: str
    road: str
    """How it was exported, where its reference was exported otherwise."""
    writings: tuple[str, ...]
    claim: str
    original: onnx.ModelProto
    candidate: onnx.ModelProto
    weights: Mapping[str, Tensor] | None
    """The reference as a checkpoint; None where it is the original file."""

    @property
    def name(self) -> str:
        parts = (self.network, self.road, *self.writings, self.claim)
        return "; ".join(part for part in parts if part)


def draw(seed: int, index: int) -> Honest:
    """Honest file number ``index`` of the campaign ``seed``; the same numbers give the same."""
    random = np.random.default_rng((seed, index))
    source = draw_source(KINDS[index % len(KINDS)], random)
    original = source.export()
    road, model = _exported(source, random) if random.integers(2) else ("", original)
    writings = []
    for _ in range(random.integers(1, 4)):
        name, model = _rewritten(model, random)
        writings.append(name)
    claim, model = _described(model, random)
    weights = source.weights if random.integers(2) else None
    return Honest(source.name, road, tuple(writings), claim, original, model, weights)


def _exported(source: Source, random: Random) -> tuple[str, onnx.ModelProto]:
    """In the first of some ways that the exporters have for it."""
    for _ in range(TRIES):
        exporter, opset = ROADS[random.integers(len(ROADS))]
        try:
            return f"{exporter} {opset}", source.export(exporter, opset)
        except Exception:  # exporters raise whatever their passes happen to raise
            continue
    raise ExportError(f"no exporter writes {source.name}")


def _rewritten(model: onnx.ModelProto, random: Random) -> tuple[str, onnx.ModelProto]:
    facts, names = read_spec(model), list(WRITINGS)
    for _ in range(TRIES):
        name = names[random.integers(len(names))]
        try:
            result = WRITINGS[name](model, random)
        except Exception:  # a converter's, an optimiser's or a checker's, each of its own kind
            continue
        if result is not None and is_valid(result):
            return name, result if facts is None else with_spec(result, facts)
    return "as it is", model


def _described(model: onnx.ModelProto, random: Random) -> tuple[str, onnx.ModelProto]:
    names = list(CLAIMS)
    while True:
        name = names[random.integers(len(names))]
        result = CLAIMS[name](model, random)
        if result is not None:
            return name, result

"""The networks that honest files are made of."""

import copy
import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import onnx
import torch
from faults.fault import Random
from faults.hosts import RECIPES, Recipe, export_host, host, name_nodes, network
from random_networks import configurations, random_weights
from torch import Tensor, nn

from honest.networks import draw_network
from subpixel.nets.checkpoints.checkpoint import CheckpointFile, load_checkpoint, parse_choice
from subpixel.nets.export.attempt import list_attempts
from subpixel.nets.export.export import export_attempt
from subpixel.spec import Exporter, ModelSpec

ARCHITECTURES = ("compact-x2", "compact-x4", "plksr-x2-sparse", "span-x2", "dncnn-grey")
"""Of architectures.toml, those whose comparison takes seconds."""

KINDS = ("host", "drawn", "host", "drawn", "architecture")
"""Where networks come from, in turn."""


@dataclass(frozen=True, eq=False)
class Source:
    """A network, and how it is exported."""

    name: str
    module: nn.Module
    spec: ModelSpec
    """What the module is, for an architecture."""
    recipe: Recipe | None
    """How it is exported; None for an architecture."""
    weights: Mapping[str, Tensor] | None
    """Its checkpoint, where :func:`subpixel.verify` recognises one."""

    def export(self, exporter: Exporter | None = None, opset: int = 18) -> onnx.ModelProto:
        """Its file; by default as the recipe says. Raises whatever the exporter raises."""
        if self.recipe is None:
            attempt = list_attempts(self.spec, exporter or "trace", opset)[0]
            exported = export_attempt(self.module, self.spec, attempt, opset)
            return name_nodes(exported.model)
        recipe = replace(self.recipe, exporter=exporter, opset=opset) if exporter else self.recipe
        return export_host(self.name, self.module, recipe).model


def draw_source(kind: str, random: Random) -> Source:
    """One of a kind; every fifth has weights that float16 holds exactly."""
    source = _SOURCES[kind](random)
    return _rounded(source) if random.random() < 0.2 else source


def _host(random: Random) -> Source:
    name = str(random.choice(list(RECIPES)))
    recipe, module = RECIPES[name], network(RECIPES[name])
    weights = module.state_dict() if recipe.checkpoint else None
    return Source(name, module, host(name).spec, recipe, weights)


def _drawn(random: Random) -> Source:
    module, recipe = draw_network(random)
    spec = ModelSpec("drawn", recipe.scale, "rgb", "rgb")
    return Source("drawn", module, spec, recipe, None)


def _architecture(random: Random) -> Source:
    return _of_name(str(random.choice(ARCHITECTURES)))


@functools.cache
def _of_name(name: str) -> Source:
    (configuration,) = (one for one in configurations() if one.name == name)
    weights = random_weights(configuration)
    with TemporaryDirectory() as folder:
        file = Path(folder) / "weights.pth"
        torch.save(weights, file)
        checkpoint = load_checkpoint(CheckpointFile(file, choice=parse_choice(["default"])))
    return Source(name, checkpoint.module, checkpoint.spec, None, weights)


def _rounded(source: Source) -> Source:
    module = copy.deepcopy(source.module).half().float()
    weights = source.weights and {
        key: value.half().float() if value.is_floating_point() else value
        for key, value in source.weights.items()
    }
    return replace(source, name=f"{source.name}, rounded", module=module, weights=weights)


_SOURCES = {"host": _host, "drawn": _drawn, "architecture": _architecture}

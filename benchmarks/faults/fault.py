"""A fault as a value: what was changed in which file, and the picture that shows it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx

Random = np.random.Generator


@dataclass(frozen=True)
class Sight:
    """Pictures on which two networks are compared: how many, their size, what they show."""

    height: int
    width: int
    content: str = "noise"
    batch: int = 1

    def __str__(self) -> str:
        return f"{self.content} {self.batch}×{self.height}×{self.width}"


@dataclass(frozen=True, eq=False)
class Edit:
    """A changed graph."""

    model: onnx.ModelProto
    nodes: frozenset[str]
    """Names of the nodes that are right answers to "which is to blame?", by the rule of
    :mod:`faults.mutants`; none where no node is."""
    sights: tuple[Sight, ...] = ()
    """Where it ought to show; none: that must be searched for."""
    reference: onnx.ModelProto | None = None
    """The honest graph, where it is not the one that was changed."""


Maker = Callable[[onnx.ModelProto, Random], Edit | None]
"""Puts a fault into a graph; None where it has no place for it."""


@dataclass(frozen=True)
class Kind:
    """A kind of fault."""

    family: str
    name: str
    make: Maker


@dataclass(frozen=True, eq=False)
class Fault:
    """A faulty file beside the honest one."""

    kind: Kind
    seed: tuple[int, ...]
    """What it was drawn from."""
    host: str
    reference: onnx.ModelProto
    faulty: onnx.ModelProto
    nodes: frozenset[str]
    witness: Sight | None
    """Where it changes a picture by more than one code value; None: nowhere that was tried."""

    @property
    def name(self) -> str:
        return f"{self.kind.family}: {self.kind.name} in {self.host} (seed {self.seed})"

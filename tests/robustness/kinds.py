"""The kinds of input, each with its seeds, and what is done with a file of it."""

import functools
import random
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol

from tests.robustness.case import Verdict
from tests.robustness.mutation.mutate import mutate
from tests.robustness.mutation.plain import Dice
from tests.robustness.seeds.seed import Seed


@dataclass(frozen=True)
class Budget:
    """What a case may take."""

    memory: int
    """Bytes that the process may hold in all."""
    allow: Callable[[float], None]
    """Says that a case rightly takes so many seconds of processor time more."""


class Trial(Protocol):
    """What a user would do with a file; in an empty folder of its own."""

    def __call__(self, dice: Dice, file: Path, budget: Budget) -> Verdict: ...


@dataclass(frozen=True)
class Kind:
    """A kind of input. Modules are imported when they are needed: checkpoints need PyTorch."""

    name: str
    share: float
    """Of the time."""
    seeds: str
    """``module:function`` of this folder that gives the seeds."""
    trial: str
    """``module:function`` that makes the :class:`Trial` of a process."""
    libraries: tuple[str, ...] = ()
    """What is imported before processes are forked."""
    mutates: bool = True
    """False: the seeds themselves are the cases, by their number, and are made when they are."""


KINDS = (
    Kind(
        "pictures", 0.5, "seeds.pictures:picture_seeds", "trials.pictures:open_trial",
        ("subpixel.upscaling.upscaler", "subpixel.cli.pictures.upscale", "PIL.Image", "pyvips",
         "subpixel.media.image_file", "subpixel.jobs.pictures", "onnxruntime"),
    ),
    Kind(
        "insertions", 0.1, "seeds.pictures:insertion_seeds", "trials.pictures:open_trial",
        ("subpixel.upscaling.upscaler", "subpixel.cli.pictures.upscale", "PIL.Image", "pyvips"),
    ),
    Kind(
        "networks", 0.15, "seeds.networks:network_seeds", "trials.networks:open_trial",
        ("subpixel.thirdparty.child", "subpixel.thirdparty.adopt", "subpixel.upscaling.upscaler",
         "subpixel.cli.pictures.info", "onnxruntime", "subpixel.media.image_file"),
    ),
    Kind(
        "checkpoints", 0.1, "seeds.checkpoints:checkpoint_seeds", "trials.checkpoints:open_trial",
        ("subpixel.nets.checkpoints.checkpoint", "torch", "torch._dynamo"),
    ),
    Kind("exif", 0.07, "seeds.blocks:exif_seeds", "trials.blocks:open_exif_trial",
         ("subpixel.media.image_file",)),
    Kind("metadata", 0.04, "seeds.blocks:block_seeds", "trials.blocks:open_block_trial",
         ("subpixel.media.image_file",)),
    Kind("caches", 0.04, "seeds.caches:cache_seeds", "trials.caches:open_trial",
         ("subpixel.network.tuning_cache", "subpixel.zoo.gallery.catalogue")),
)  # fmt: skip


def find_kind(name: str) -> Kind:
    return next(kind for kind in KINDS if kind.name == name)


@dataclass(frozen=True)
class Case:
    """A file to try, a function of the seed, the kind and the number alone."""

    kind: Kind
    seed: int
    number: int

    def dice(self, purpose: str) -> Dice:
        """Random numbers for ``purpose``."""
        return random.Random(f"{self.seed}/{self.kind.name}/{self.number}/{purpose}")

    def draw(self) -> Seed:
        """The seed that it is made of, mutated, under the seed's name."""
        seeds, dice = list_seeds(self.kind), self.dice("file")
        if not self.kind.mutates:
            return seeds[self.number].make()
        seed = dice.choice(seeds)
        alike = [s.data for s in seeds if s.suffix == seed.suffix]
        return Seed(seed.name, mutate(dice, seed.suffix, seed.data, alike))


@functools.cache
def list_seeds(kind: Kind) -> tuple[Seed, ...]:
    """The seeds of a kind, made once."""
    seeds: tuple[Seed, ...] = _load(kind.seeds)()
    return seeds


def open_trial(kind: Kind) -> Trial:
    """The trial of a process, what it needs open."""
    trial: Trial = _load(kind.trial)()
    return trial


def _load(name: str) -> Callable[[], object]:  # type: ignore[type-arg]
    module, _, function = name.partition(":")
    return getattr(import_module(f"tests.robustness.{module}"), function)  # type: ignore[no-any-return]

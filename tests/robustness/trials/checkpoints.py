"""A checkpoint is loaded; nothing in it may run."""

from pathlib import Path

from tests.robustness.case import Verdict
from tests.robustness.kinds import Budget, Trial
from tests.robustness.mutation.plain import Dice

from subpixel.errors import SubpixelError
from subpixel.nets.checkpoints.checkpoint import CheckpointFile, Choice, load_checkpoint
from subpixel.nets.spandrel.module import import_spandrel

PHOTOGRAPH_SHARE = 0.05
"""Of the cases, those whose settings are sought on photographs, which takes seconds."""


def open_trial() -> Trial:
    import_spandrel("spandrel_extra_arches")  # takes seconds, which no case is to be charged with
    return _try_checkpoint


def open_plain_trial() -> Trial:
    """Without photographs."""
    return lambda dice, file, budget: _load(file, budget, with_photographs=False)


def _try_checkpoint(dice: Dice, file: Path, budget: Budget) -> Verdict:
    return _load(file, budget, with_photographs=dice.random() < PHOTOGRAPH_SHARE)


def _load(file: Path, budget: Budget, *, with_photographs: bool) -> Verdict:
    if with_photographs:
        budget.allow(60)
    try:
        loaded = load_checkpoint(CheckpointFile(file, choice=Choice(default=not with_photographs)))
    except SubpixelError as error:
        return Verdict("refused", str(error))
    return Verdict("ok", loaded.spec.architecture)

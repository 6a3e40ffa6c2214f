"""The settings that a network's weights don't reveal: stated by the user, or determined on
photographs.

Every combination of the usual values is run on photographs. A combination that is better by a clear
margin is used; where there is none, the user must state the setting, as a wrong one gives results
that only look right.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from statistics import mean

import numpy as np
from torch import nn

from subpixel.errors import CheckpointError, UsageError
from subpixel.nets.architectures.architecture import Checkpoint, NetworkSetting
from subpixel.nets.checkpoints.behaviour import (
    DAMAGES,
    ENLARGED,
    WORST,
    Gains,
    PhotoTrial,
    make_trials,
    measure_gains,
    run_trial,
)
from subpixel.runtime.op import Pixels

DEFAULT_CHOICE = "default"
"""Stands for no setting: all that are not stated have their usual values, without a test on
photographs."""

FAR_BEHIND = 3.0
"""dB behind the best in the quick comparison that exclude a combination."""

CLEAR_LEAD, ON_EACH = 0.25, 0.1
"""dB by which the best combination must be ahead of every other, on average and on each crop. A
network performs best in the settings of its training: settings that are worse on every crop are
others."""

NEIGHBOURS = (0.75, 1.33)
"""Factors of the best value of a numeric setting: these values must be no better, else the right
value is another."""

AS_GOOD = -1.0
"""dB relative to bicubic interpolation above which a network certainly has the settings of its
training."""

TRAINED_OTHERWISE = -6.0
"""The same for networks that were not trained for PSNR (GANs), if all others are FAR_BEHIND dB
behind."""

PLAUSIBLE = -0.5
"""dB relative to bicubic interpolation above which a network with common key names is what it seems
to be; one whose input is upscaled bicubically must be better than that."""

SAME_RESULT = 1e-4
"""Two combinations are the same network where no value in 0 … 1 differs by more."""

SettingValues = Mapping[str, str]


@dataclass(frozen=True)
class Choice:
    """The user's settings: ``values`` by name; with ``default``, the others have their usual
    values."""

    values: tuple[tuple[str, str], ...] = ()
    default: bool = False


AS_SHOWN = Choice()
"""Nothing is stated: photographs decide."""


def parse_choice(texts: Sequence[str]) -> Choice:
    """``("res_scale=0.1", "range=255")``, or ``("default",)`` → the user's settings.

    Raises :class:`~subpixel.errors.UsageError` for anything else, and for a repeated name.
    """
    pairs = [text.partition("=") for text in texts if text != DEFAULT_CHOICE]
    for name, equals, value in pairs:
        if not (name and equals and value):
            raise UsageError(f"setting is {name + equals!r}; write NAME=VALUE, or {DEFAULT_CHOICE}")
    names = [name for name, _, _ in pairs]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise UsageError(f"setting {twice[0]} is given twice")
    return Choice(tuple((name, value) for name, _, value in pairs), DEFAULT_CHOICE in texts)


@dataclass(frozen=True, eq=False)
class Combination:
    """A value for every open setting, and the network's gain with them."""

    values: SettingValues
    usual: bool
    gains: Gains

    def mean_gain(self, damage: str) -> float:
        return mean(self.gains[damage])

    def clearly_ahead(self, other: "Combination", damage: str, by: float = CLEAR_LEAD) -> bool:
        """Whether its gain is larger by ``by`` dB on average, and larger on every crop."""
        pairs = zip(self.gains[damage], other.gains[damage], strict=True)
        leads = [ours - theirs if theirs > WORST else np.inf for ours, theirs in pairs]
        return mean(leads) >= by and min(leads) >= ON_EACH

    def __str__(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in self.values.items())


def settle_settings(checkpoint: Checkpoint, choice: Choice) -> Checkpoint:
    """``checkpoint`` in the settings of ``choice``, the others determined on photographs.

    Raises :class:`~subpixel.errors.UsageError` for a setting that the network doesn't have, and
    :class:`~subpixel.errors.CheckpointError` where photographs don't determine one, or where the
    weights are another network's.
    """
    checkpoint = _with_choice(checkpoint, choice)
    if choice.default or (choice.values and not checkpoint.settings):
        return replace(checkpoint, settings=())
    if not checkpoint.settings and not checkpoint.plain_keys:
        return checkpoint
    best, damage = _decide(checkpoint, _compare_combinations(checkpoint))
    module = _apply_values(checkpoint.module, checkpoint.settings, best.values)
    shown = best.usual and checkpoint.conventional
    note = f"{best}, as its pictures show ({_describe_gain(best, damage, checkpoint)})"
    notes = checkpoint.notes if shown or not best.values else (*checkpoint.notes, note)
    return replace(checkpoint, module=module, notes=notes, settings=())


def _with_choice(checkpoint: Checkpoint, choice: Choice) -> Checkpoint:
    known = {setting.name: setting for setting in checkpoint.settings}
    for name, _ in choice.values:
        if name not in known:
            has = ", ".join(known) or "none"
            raise UsageError(
                f"{checkpoint.spec.architecture} has no open setting {name!r}; it has {has}"
            )
    chosen = [known[name] for name, _ in choice.values]
    module = _apply_values(checkpoint.module, chosen, dict(choice.values))
    rest = tuple(setting for setting in checkpoint.settings if setting not in chosen)
    texts = [f"{name}={value}" for name, value in choice.values]
    notes = (*checkpoint.notes, f"{', '.join(texts)}, as asked") if texts else checkpoint.notes
    return replace(checkpoint, module=module, settings=rest, notes=notes)


def _apply_values(
    module: nn.Module, settings: Sequence[NetworkSetting], values: SettingValues
) -> nn.Module:
    return reduce(lambda net, one: one.apply(net, values[one.name]), settings, module)


def _compare_combinations(checkpoint: Checkpoint) -> list[Combination]:
    """Every combination of usual values, except those far behind in the quick comparison.

    Of combinations that give the same network, the first is kept.
    """
    settings, spec = checkpoint.settings, checkpoint.spec
    damages = ENLARGED if checkpoint.plain_keys else DAMAGES
    first = make_trials(spec, quick=True, damages=damages)
    combinations = _distinct(checkpoint, first)
    best = {kind: max(one.mean_gain(kind) for one in combinations) for kind in _kinds(first)}
    near = [
        one
        for one in combinations
        if one.usual or any(one.mean_gain(kind) >= top - FAR_BEHIND for kind, top in best.items())
    ]
    full = make_trials(spec, quick=False, damages=damages)
    return [
        replace(
            one, gains=measure_gains(_apply_values(checkpoint.module, settings, one.values), full)
        )
        for one in near
    ]


def _kinds(some: Sequence[PhotoTrial]) -> list[str]:
    return list(dict.fromkeys(trial.damage for trial in some))


def _distinct(checkpoint: Checkpoint, first: Sequence[PhotoTrial]) -> list[Combination]:
    settings = checkpoint.settings
    combinations: list[Combination] = []
    results: list[Pixels] = []
    for values in itertools.product(*(setting.values for setting in settings)):
        chosen = {setting.name: value for setting, value in zip(settings, values, strict=True)}
        module = _apply_values(checkpoint.module, settings, chosen)
        result = run_trial(module, first[0])
        if result is not None:
            if any(np.abs(result - other).max() <= SAME_RESULT for other in results):
                continue
            results.append(result)
        usual = all(chosen[setting.name] == setting.values[0] for setting in settings)
        combinations.append(Combination(chosen, usual, measure_gains(module, first)))
    return combinations


def _decide(checkpoint: Checkpoint, combinations: Sequence[Combination]) -> tuple[Combination, str]:
    """The combination that photographs determine, and the degradation on which they do."""
    best, damage = max(
        ((one, kind) for one in combinations for kind in one.gains),
        key=lambda pair: pair[0].mean_gain(pair[1]),
    )
    others = [one for one in combinations if one is not best]
    clear = all(best.clearly_ahead(other, damage) for other in others)
    best_gain = best.mean_gain(damage)
    if checkpoint.conventional:
        usual = next(one for one in combinations if one.usual)
        usual_gain = max(map(usual.mean_gain, usual.gains))
        min_gain = CLEAR_LEAD if checkpoint.must_gain else PLAUSIBLE
        if usual_gain >= max(min_gain, best_gain - CLEAR_LEAD):
            return usual, damage
        if best_gain >= CLEAR_LEAD and clear:  # an identity network may reach less than that, too
            return best, damage
        raise CheckpointError(_another_network(checkpoint, best, damage))
    if best_gain >= _min_gain(checkpoint) and clear and _at_its_best(checkpoint, best, damage):
        return best, damage
    far = all(best.clearly_ahead(other, damage, FAR_BEHIND) for other in others)
    if far and best_gain >= TRAINED_OTHERWISE and _is_closed(checkpoint, combinations):
        return best, damage
    asked = _in_question(best, combinations, damage)
    raise CheckpointError(_ask_for_settings(checkpoint, asked, best, damage))


def _at_its_best(checkpoint: Checkpoint, best: Combination, damage: str) -> bool:
    """Whether the values of settings that may have unusual values are better than their
    neighbours."""
    settings, spec = checkpoint.settings, checkpoint.spec
    some = [one for one in make_trials(spec, quick=False) if one.damage == damage]
    for values in _neighbours(settings, best.values):
        near = measure_gains(_apply_values(checkpoint.module, settings, values), some)[damage]
        if mean(near) > best.mean_gain(damage):
            return False
    return True


def _neighbours(
    settings: Sequence[NetworkSetting], values: SettingValues
) -> Iterator[SettingValues]:
    """The values with one numeric value slightly smaller, or slightly larger."""
    for setting in settings:
        if not setting.closed and _is_number(values[setting.name]):
            for factor in NEIGHBOURS:
                yield {**values, setting.name: f"{factor * float(values[setting.name]):g}"}


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _in_question(best: Combination, combinations: Sequence[Combination], damage: str) -> list[str]:
    """The settings whose values make no clear difference; all of them where all do."""
    near = [one for one in combinations if not best.clearly_ahead(one, damage)]
    names = [n for n in best.values if len({one.values[n] for one in near}) > 1]
    return names or [*best.values]


def _is_closed(checkpoint: Checkpoint, combinations: Sequence[Combination]) -> bool:
    """Whether all settings that make a difference have no values other than the usual ones."""
    return checkpoint.spec.scale > 1 and all(
        one.closed or len({other.values[one.name] for other in combinations}) == 1
        for one in checkpoint.settings
    )


def _min_gain(checkpoint: Checkpoint) -> float:
    """The minimum gain. A network that restores must have an effect: in the wrong range it may have
    none."""
    return AS_GOOD if checkpoint.spec.scale > 1 else CLEAR_LEAD


def _describe_gain(one: Combination, damage: str, checkpoint: Checkpoint) -> str:
    """The gain as a phrase."""
    enlarges = checkpoint.spec.scale > 1
    against = "bicubic enlargement" if enlarges else f"what it was shown, {damage}"
    reached = one.mean_gain(damage)
    if reached == WORST:
        return "it fails on photographs, or returns NaN"
    return f"{reached:+.1f} dB to {against}"


def _list_values(checkpoint: Checkpoint) -> str:
    return "; ".join(f"{one.name} {' or '.join(one.values)}" for one in checkpoint.settings)


def _another_network(checkpoint: Checkpoint, best: Combination, damage: str) -> str:
    name, values = checkpoint.spec.architecture, _list_values(checkpoint)
    return (
        f"its keys look like {name}, but it computes something else"
        f" ({_describe_gain(best, damage, checkpoint)}{f', with {best}' if best.values else ''}"
        f"{f'; tried {values}' if values else ''}); use --module for your own code, or --setting "
        f"{DEFAULT_CHOICE} if it is {name}, barely trained or trained for something else"
    )


def _ask_for_settings(
    checkpoint: Checkpoint, names: Sequence[str], best: Combination, damage: str
) -> str:
    open_ones = [one for one in checkpoint.settings if one.name in names]
    asked = " ".join(f"--setting {one.name}={'|'.join(one.values)}" for one in open_ones)
    return (
        f"is {checkpoint.spec.architecture}, but neither its weights nor its results reveal the "
        f"settings of its training (best {best}: {_describe_gain(best, damage, checkpoint)}); say "
        f"{asked}, or --setting {DEFAULT_CHOICE} for the first of each"
    )

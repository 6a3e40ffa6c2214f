"""Every kind of fault."""

from collections.abc import Sequence

import onnx

from faults import changes, conditions, facts
from faults.changes import Change
from faults.conditions import When
from faults.fault import Edit, Kind, Maker, Random, Sight
from faults.lengths import ARITHMETICS, length_fault
from faults.mutants import FAULTS
from faults.mutants import Fault as Mutation
from faults.splice import Splice, places

BATCH = Sight(31, 44, "photo", batch=3)


def _place(model: onnx.ModelProto, random: Random) -> str:
    """Where the fault is put: half of the time it is the picture that comes out."""
    found = places(model)
    return found[-1 if random.random() < 0.5 else random.integers(len(found))]


def always(change: Change, *sights: Sight) -> Maker:
    """The change, in force whatever the picture."""

    def make(model: onnx.ModelProto, random: Random) -> Edit | None:
        splice = Splice(model, _place(model, random))
        changed = change(splice, random)
        return None if changed is None else Edit(*splice.finish(changed), sights)

    return make


def where(when: When, choice: Sequence[Change] = changes.ANY) -> Maker:
    """One of these changes, where the condition holds: by Where, If or arithmetic."""

    def make(model: onnx.ModelProto, random: Random) -> Edit | None:
        splice = Splice(model, _place(model, random))
        condition = when(splice, random)
        since = splice.count
        changed = choice[random.integers(len(choice))](splice, random)
        if condition is None or changed is None:
            return None
        form = random.integers(3 if condition.whole else 2)
        if form == 2:
            result = splice.branch(condition.name, since, changed)
        else:
            join = (splice.choose, splice.blend)[form]
            result = join(condition.name, changed)
        return Edit(*splice.finish(result), condition.sights)

    return make


def edited(mutation: Mutation) -> Maker:
    def make(model: onnx.ModelProto, random: Random) -> Edit | None:
        mutant = mutation(model, random)
        return None if mutant is None else Edit(mutant.model, mutant.nodes)

    return make


def _title(function: Change | When) -> str:
    return function.__name__.replace("_", " ")


def _conditional(family: str, conditions_: Sequence[When]) -> tuple[Kind, ...]:
    return tuple(Kind(family, _title(when), where(when)) for when in conditions_)


KINDS: tuple[Kind, ...] = (
    *_conditional("size branch", conditions.SIZES),
    *_conditional("data branch", conditions.CONTENTS),
    *_conditional("values", conditions.VALUES),
    *_conditional("region", conditions.PLACES),
    *_conditional("batch", conditions.BATCHES),
    Kind("batch", "pictures reversed", always(changes.pictures_reversed, BATCH)),
    Kind("batch", "neighbours mixed", always(changes.neighbours_mixed, BATCH)),
    Kind("batch", "first for all", always(changes.first_for_all, BATCH)),
    *(Kind("float size", name, length_fault(nodes, length)) for name, length, nodes in ARITHMETICS),
    Kind("baked", "cut to a multiple", always(changes.cut_to_a_multiple)),
    Kind("baked", "cut at a length", always(changes.cut_at)),
    Kind("channel", "one channel gained", always(changes.one_channel_gained)),
    Kind("channel", "one channel offset", always(changes.one_channel_offset)),
    Kind("channel", "channels swapped", always(changes.channels_swapped)),
    Kind("order", "BGR", always(changes.bgr)),
    Kind("order", "flipped", always(changes.flipped)),
    Kind("order", "shifted", always(changes.shifted)),
    Kind("border", "border black", always(changes.border_black)),
    Kind("range", "clipped", always(changes.clipped)),
    Kind("range", "saturated", always(changes.saturated)),
    Kind("range", "softened white", always(changes.softened_white)),
    Kind("range", "gain", always(changes.gained)),
    Kind("range", "gamma", always(changes.gamma)),
    Kind("range", "limited range", always(changes.limited_range)),
    Kind("range", "times 255", always(changes.times_255)),
    Kind("dtype", "through float16", always(changes.through_float16)),
    Kind("dtype", "through bfloat16", always(changes.through_bfloat16)),
    Kind("dtype", "past float16", always(changes.past_float16)),
    Kind("dtype", "in steps", always(changes.in_steps)),
    Kind("dtype", "quantised", always(changes.quantised)),
    Kind("chance", "noisy", always(changes.noisy)),
    Kind("chance", "dropout", always(changes.dropout)),
    Kind("chance", "now and then", where(conditions.now_and_then)),
    Kind("facts", "no halo", facts.claimed(facts.no_halo)),
    Kind("facts", "small halo", facts.claimed(facts.small_halo)),
    Kind("facts", "a halo", facts.claimed(facts.a_halo)),
    Kind("facts", "no multiple", facts.claimed(facts.no_multiple)),
    Kind("facts", "it pads", facts.claimed(facts.it_pads)),
    Kind("facts", "another scale", facts.claimed(facts.another_scale)),
    Kind("facts", "another interface", facts.claimed(facts.another_interface)),
    Kind("facts", "half precision", facts.claimed(facts.half_precision)),
    Kind(
        "facts",
        "half precision over a gain",
        facts.claimed_over(facts.half_precision, changes.softened_white),
    ),
    Kind("facts", "bytes for floats", facts.claimed(facts.bytes_for_floats)),
    *(Kind("edit", name, edited(mutation)) for name, mutation in FAULTS.items()),
)
"""All of them; those of the family ``edit`` stand in :mod:`faults.mutants`."""

FAMILIES: tuple[str, ...] = (
    "size branch",
    "data branch",
    "float size",
    "size branch",
    "values",
    "region",
    "batch",
    "data branch",
    "baked",
    "channel",
    "size branch",
    "order",
    "border",
    "range",
    "dtype",
    "edit",
    "chance",
    "facts",
    "edit",
)
"""The order in which families take turns; the richer ones more often."""

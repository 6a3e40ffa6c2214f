"""What a run was told, as its state keeps it: a state is taken up by the same order alone."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from subpixel.errors import UsageError
from subpixel.train.presets import Preset, name_preset

OrderValue = str | int | float | bool | None

WAYS_ON = "remove it to begin anew, or name another output"
"""What may be done where a state can't be taken up."""


@dataclass(frozen=True)
class RunInputs:
    """What decides a run's result beside its preset, scale and seed. None where there is none, or
    where whoever trains doesn't say."""

    data: str | None = None
    """The photographs: how many, and a digest of their names and sizes."""
    denoise: bool = False
    minutes: float | None = None
    warm_start: str | None = None
    """The sha256 of the checkpoint."""
    teacher: str | None = None
    """The sha256 of the checkpoint."""


UNTOLD = RunInputs()


@dataclass(frozen=True)
class RunOrder:
    """All that decides a run's result, but for the device."""

    preset: Preset
    scale: int
    seed: int = 0
    inputs: RunInputs = UNTOLD

    def values(self) -> dict[str, OrderValue]:
        """As JSON has them, by the names of the command line's options where there are such."""
        name, own = name_preset(self.preset), asdict(self.preset)
        return {"preset": name, **own, "scale": self.scale, "seed": self.seed} | asdict(self.inputs)


def expect_same_order(file: Path, kept: object, order: RunOrder) -> None:
    """Check that the state in ``file``, which has ``kept`` as its order, is one of ``order``.

    Raises :class:`UsageError` where it isn't, which names all that differs, and where it doesn't
    say, as those of earlier versions.
    """
    if not isinstance(kept, Mapping):
        raise UsageError(
            f"{file} is of an earlier version and doesn't say what its run was told; {WAYS_ON}"
        )
    found = "; ".join(_differences(kept, order.values()))
    if found:
        raise UsageError(
            f"{file} is of a run that was told otherwise: {found}. Call it as before to go on, "
            f"{WAYS_ON}"
        )


def _differences(kept: Mapping[str, object], given: Mapping[str, OrderValue]) -> Iterator[str]:
    """In words. Of two presets the names differ, and all else that they consist of."""
    sizes = (
        {field.name for field in fields(Preset)} if kept.get("preset") != given["preset"] else ()
    )
    for name, value in given.items():
        if kept.get(name) != value and name not in sizes:
            yield f"{name} was {_describe(kept.get(name))} and is {_describe(value)}"


def _describe(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "on", False: "off", None: "none"}[value]
    text = str(value)
    return f"{text[:12]}…" if len(text) == 64 else text  # a hash

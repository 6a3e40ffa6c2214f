"""What `tune` tries on which device."""

import pytest

from subpixel.runtime.devices import DEVICES
from subpixel.spec import ModelSpec, Precision
from subpixel.tune.space import make_space

SPEC = ModelSpec("net", 2, "rgb", "rgb", halo=2)


@pytest.mark.parametrize("device", [name for name, row in DEVICES.items() if row.plugin])
def test_integers_are_not_tried_where_they_are_not_exact(device: str) -> None:
    ways = make_space(SPEC, ("cpu", device)).ways
    precisions: dict[str, set[Precision | None]] = {}
    for way in ways:
        precisions.setdefault(way.device, set()).add(way.precision)
    assert precisions["cpu"] == {"fp32", "int8"}
    assert precisions[device] == {"fp32", "bf16", "fp16"}

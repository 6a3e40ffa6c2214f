"""What can be told from photographs, and what can't."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from subpixel.convention import RANGES, UNIT_RANGE, Convention, TensorLayout, ValueRange
from subpixel.errors import NetworkError
from subpixel.nets.checkpoints.checkpoint import load_checkpoint
from subpixel.nets.torch_op import TorchOp
from subpixel.runtime.op import NetOp
from subpixel.spec import ModelSpec
from subpixel.thirdparty.form import find_form
from subpixel.thirdparty.op import expect_unit_range
from subpixel.thirdparty.photographs import make_photographs
from subpixel.thirdparty.reading import make_probe, settle_reading


@dataclass(frozen=True)
class For:
    """A network for 0 … 1 as one for another range, in numpy."""

    op: NetOp
    values: ValueRange
    dims = (None, 3, None, None)
    input_shape = dims
    takes_codes = False

    def gives_codes(self, _output: str) -> bool:
        return False

    def __call__(
        self, values: np.ndarray, layout: TensorLayout = "nchw"
    ) -> Mapping[str, np.ndarray]:
        assert layout == "nchw"
        pixels = self.values.to_unit(values).astype(np.float32)
        return {"y": self.values.from_unit(self.op(pixels).astype(np.float64))}


@pytest.mark.slow
@pytest.mark.parametrize("true", RANGES)
@pytest.mark.parametrize("name", ["span-x4", "realesr-animevideov3-x4", "realesrgan-x4plus-anime"])
def test_no_range_of_a_trained_network_is_mistaken(
    shared_data: Path, name: str, true: ValueRange
) -> None:
    torch.set_num_threads(1)
    module = load_checkpoint(shared_data / "community" / f"{name}.pth").module
    raw, told = For(TorchOp(module), true), Convention(input_order="rgb")
    try:
        reading = settle_reading(make_probe(raw, find_form(raw, told)), told)
    except NetworkError as error:
        assert "--input-range" in str(error)  # noqa: PT017 - either is right
        assert true != UNIT_RANGE, "the usual range is found out"
    else:
        assert reading.ranges == (true, true)


def test_small_photographs_are_large_ones_made_smaller() -> None:
    made = make_photographs(3, 3, 20, 30)
    assert made.small.shape == made.vivid.shape == (2, 3, 20, 30)
    assert made.large.shape == (2, 3, 60, 90)
    means = made.large.reshape(2, 3, 20, 3, 30, 3).mean(axis=(3, 5))
    assert np.abs(means - made.small).mean() < 0.02
    assert np.ptp(made.vivid, axis=1).mean() > 2 * np.ptp(made.small, axis=1).mean()


def test_photographs_of_any_size_there_is_a_network_for() -> None:
    assert make_photographs(4, 1, 320, 64).large.shape == (2, 1, 1280, 256)
    restored = make_photographs(1, 3, 9, 7)
    assert restored.small.shape == restored.large.shape == (2, 3, 9, 7)
    assert not (restored.small == restored.large).all()


@dataclass(frozen=True)
class Rounding:
    """Right for 8-bit code values alone."""

    input_shape = (None, 3, None, None)

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        return np.round(pixels).repeat(2, axis=2).repeat(2, axis=3)


@dataclass(frozen=True)
class Untrained:
    input_shape = (None, 3, None, None)

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        return np.full_like(pixels.repeat(2, axis=2).repeat(2, axis=3), 200)


def test_a_module_is_refused_only_where_it_is_clearly_for_another_range() -> None:
    spec = ModelSpec("any", 2, "rgb", "rgb")
    with pytest.raises(NetworkError, match=r"works for values in 0\.\.255 "):
        expect_unit_range(Rounding(), spec)
    expect_unit_range(Untrained(), spec)

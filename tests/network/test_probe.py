"""What running a network a few times shows, with ops of NumPy."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from subpixel.errors import NetworkError
from subpixel.network.probe import MAX_NOISE, expect_repeatable, probe
from subpixel.runtime.op import Pixels
from subpixel.spec import ModelSpec


@dataclass
class Enlarger:
    """Repeats every pixel ``scale`` times along both sides, then ``change``s the result by the
    number of the run."""

    scale: int = 2
    change: Callable[[Pixels, int], Pixels] = lambda result, run: result
    input_shape: tuple[int | str | None, ...] = (None, None, None, None)
    runs: int = 0

    def __call__(self, pixels: Pixels, /) -> Pixels:
        self.runs += 1
        result = pixels.repeat(self.scale, 2).repeat(self.scale, 3)
        return self.change(result, self.runs)


SPEC = ModelSpec("net", 2, "rgb", "rgb")


@pytest.mark.parametrize(
    "change",
    [
        lambda result, run: result + np.float32(2 * MAX_NOISE * run),
        lambda result, run: result + np.float32(run == 3),  # now and then alone
        lambda result, run: result[:, :, : -1 if run == 2 else None],
    ],
    ids=["always", "seldom", "shape"],
)
def test_other_results_for_the_same_picture(change: Callable[[Pixels, int], Pixels]) -> None:
    with pytest.raises(NetworkError, match="other results for the same picture: they differ by up"):
        expect_repeatable(Enlarger(change=change), SPEC)


def test_rounding_that_differs_is_no_noise() -> None:
    expect_repeatable(Enlarger(change=lambda result, run: result + np.float32(run * 1e-6)), SPEC)
    # of results in thousands, float32 has fewer digits
    expect_repeatable(Enlarger(change=lambda result, run: result * 4096 + run * 0.01), SPEC)


def test_a_network_that_fails_is_for_others_to_judge() -> None:
    def fail(result: Pixels, run: int) -> Pixels:
        raise ZeroDivisionError(result.shape, run)

    expect_repeatable(Enlarger(change=fail), SPEC)


def test_the_size_is_one_that_the_network_takes() -> None:
    seen: set[tuple[int, ...]] = set()

    def note(result: Pixels, run: int) -> Pixels:
        assert run > 0
        seen.add(result.shape)
        return result

    for facts in ({"fixed_size": (5, 7), "fixed_batch": 2}, {"size_multiple": 20}):
        expect_repeatable(Enlarger(change=note), ModelSpec("net", 2, "rgb", "rgb", **facts))  # type: ignore[arg-type]
    assert seen == {(2, 3, 10, 14), (1, 3, 120, 120)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda result, run: result[:, :, ::7], "it turns the shape .*, and not into"),
        (lambda result, run: result.repeat(2, 1), r"the shape .* \(1, 6, 98, 102\), and not into"),
        (lambda result, run: result[0], "this is no super-resolution network: it turns the shape"),
        (lambda result, run: result[:, :, :-2], "it turns the shape"),
    ],
)
def test_what_is_no_enlargement(change: Callable[[Pixels, int], Pixels], message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        probe(Enlarger(change=change), "net")


def test_a_factor_of_halves_is_told() -> None:
    op = Enlarger(scale=3, change=lambda result, run: result[:, :, ::2, ::2])
    with pytest.raises(NetworkError, match=r"^it enlarges by 1\.5; subpixel runs networks that"):
        probe(op, "net")

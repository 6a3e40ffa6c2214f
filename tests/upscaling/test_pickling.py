"""An upscaler goes to other processes by its arguments; each opens the network anew."""

import inspect
import multiprocessing
import pickle
import sys
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest

from subpixel.convention import UNKNOWN_CONVENTION
from subpixel.errors import UsageError
from subpixel.network.flatness import Flatness
from subpixel.network.opening import open_network
from subpixel.upscaling.upscaler import Upscaler
from subpixel.zoo.manifest import find_bundled

PICTURES = [
    np.random.default_rng(seed).integers(0, 256, (20, 30, 3), dtype=np.uint8) for seed in range(3)
]
METHODS = [
    method
    for method in multiprocessing.get_all_start_methods()
    if (method in ("spawn", "fork") and sys.platform != "win32") or method == "spawn"
]


def test_no_argument_is_forgotten() -> None:
    arguments = {
        "scale": 2,
        "denoise": None,
        "device": "cpu",
        "precision": "fp32",
        "tile": 64,
        "threads": 1,
        "batch": 2,
        "adaptive": Flatness(2, 0.5),
        "tuning": False,
        "convention": UNKNOWN_CONVENTION,
        "alpha": "straight",
    }
    upscaler = Upscaler("fast", **arguments)
    anew, rest = upscaler.__reduce__()
    assert (anew.func, anew.args, anew.keywords, rest) == (Upscaler, ("fast",), arguments, ())
    assert {"model", *anew.keywords} == set(inspect.signature(Upscaler).parameters)


def test_a_copy_gives_the_same_pixels() -> None:
    upscaler = Upscaler("fast", scale=2, tile=24)
    data = pickle.dumps(upscaler)
    assert len(data) < 2000, "settings, not sessions"
    copy = pickle.loads(data)
    assert np.array_equal(copy(PICTURES[0]), upscaler(PICTURES[0]))
    assert copy.spec == upscaler.spec
    assert copy.tally is not upscaler.tally


@pytest.mark.sample(every=3)
@pytest.mark.parametrize("method", METHODS)
def test_a_pool_of_processes(method: str) -> None:
    """The network has run here before the processes begin: a fork has its dead threads."""
    upscaler = Upscaler("fast-int8", scale=2, threads=1)
    expected = [upscaler(picture) for picture in PICTURES]
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        results = list(pool.map(upscaler, PICTURES, timeout=300))
    for larger, same in zip(results, expected, strict=True):
        assert np.array_equal(larger, same)


def test_another_scale_of_the_same_network_is_pickled_as_such() -> None:
    other = Upscaler("fast", scale=2, alpha="straight").at_scale(3)
    again = pickle.loads(pickle.dumps(other))
    assert again.spec.scale == 3
    assert again(PICTURES[0]).shape == (60, 90, 3)


def test_another_scale_counts_what_was_interpolated_together() -> None:
    upscaler = Upscaler("fast", scale=2)
    assert upscaler.at_scale(3).tally is upscaler.tally


def test_an_open_network_stays_here() -> None:
    upscaler = Upscaler(open_network(find_bundled("fast", 2).path))
    with pytest.raises(UsageError, match="can't be pickled; make it of the network's name or file"):
        pickle.dumps(upscaler)

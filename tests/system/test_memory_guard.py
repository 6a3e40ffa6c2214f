"""The peak of a piece of work is seen, and what it may not have is refused."""

import gc

import numpy as np
import pytest

from subpixel.system.machine_memory import resident
from subpixel.system.memory_guard import CAN_REFUSE, MemoryPeak, refuse_beyond
from subpixel.system.processes.children import data_size

MIB = 1 << 20


def _touch(size: int) -> int:
    """Hold ``size`` bytes for a moment: the system gives memory only to what is written to."""
    return int(np.ones(size, np.uint8)[-1])


def _more_than_is_free() -> int:
    """Of what the process holds: the allocator keeps what other tests have given back."""
    return data_size() + 192 * MIB


def test_the_peak_is_seen_though_it_is_over() -> None:
    """Within a factor of two: the system may take pages back that the process held before."""
    gc.collect()
    before = resident()
    with MemoryPeak() as peak:
        _touch(256 * MIB)
    assert 128 * MIB <= peak.so_far() - before < 512 * MIB


def test_what_was_held_before_is_no_peak_of_this_block() -> None:
    _touch(512 * MIB)
    before = resident()
    with MemoryPeak() as peak:
        _touch(16 * MIB)
    assert peak.so_far() - before < 256 * MIB


@pytest.mark.skipif(not CAN_REFUSE, reason="this system refuses no process its memory")
def test_more_is_refused_and_afterwards_allowed() -> None:
    import resource

    limits = resource.getrlimit(resource.RLIMIT_DATA)
    with refuse_beyond(64 * MIB):
        assert _touch(16 * MIB)
        with pytest.raises(MemoryError):
            _touch(_more_than_is_free())
    assert resource.getrlimit(resource.RLIMIT_DATA) == limits
    assert _touch(192 * MIB)
    with pytest.raises(ValueError, match="the block's own"), refuse_beyond(0):
        raise ValueError("the block's own")
    assert resource.getrlimit(resource.RLIMIT_DATA) == limits


@pytest.mark.skipif(not CAN_REFUSE, reason="this system refuses no process its memory")
def test_a_tighter_limit_stays() -> None:
    with refuse_beyond(64 * MIB), refuse_beyond(512 * MIB), pytest.raises(MemoryError):
        _touch(_more_than_is_free())

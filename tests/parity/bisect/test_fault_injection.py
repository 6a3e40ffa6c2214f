"""Faults put into real networks on purpose: each that shows must be caught, its place named.

Whether a fault shows is judged without our own comparison: ONNX Runtime runs the graphs as they
stand, on pictures of this file's own, and code values are counted here.
"""

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from faults.honest import anonymous, shuffled
from faults.mutants import FAULTS, Mutant
from faults.patient import session
from numpy.typing import NDArray

from specimens import BUNDLED, EXAMPLE, KINDS, SHARED, Specimen, specimen
from subpixel.errors import NetworkError
from subpixel.graph.metadata import with_spec
from subpixel.nets.export.exporters import BATCH, HEIGHT, WIDTH, run_exporter
from subpixel.parity.bisect.bisect import bisect
from subpixel.parity.compare import compare
from subpixel.parity.side import Side, grid_of, open_side
from subpixel.parity.verify import verify

Picture = NDArray[np.float32]

SEEDS = (101,)
"""Where a fault is put is drawn from these."""

QUICK = tuple(name for name, kind in KINDS.items() if not kind.slow)
SLOW = tuple(name for name, kind in KINDS.items() if kind.slow)
FEW = ("edsr", "fsrcnn", "restorer")
FAST = "fsrcnn"
LONG = ("real-cugan", "esrgan", "esrgan-x2", "srvgg", "span", "swinir", "nafnet")
"""A minute or more each."""
EVERY = [
    FAST,
    *(pytest.param(n, marks=pytest.mark.slow) for n in (*QUICK, *SLOW) if n not in (FAST, *LONG)),
    *(pytest.param(n, marks=(pytest.mark.slow, pytest.mark.campaign)) for n in LONG),
]

LEAST_KINDS = 30
LEAST_NAMED = 0.95


@dataclass(frozen=True, eq=False)
class Injected:
    """A fault in a specimen, and whether it shows in any of this file's pictures."""

    host: str
    mutant: Mutant
    seed: int
    shows: bool

    def __str__(self) -> str:
        return f"{self.host}: {self.mutant.kind} (seed {self.seed}) at {sorted(self.mutant.nodes)}"


# --- the oracle


def pictures(channels: int, batch: int) -> Iterator[Picture]:
    """Pictures of every sort: noise, clouds, the dark and the bright, patches, checks."""
    random = np.random.default_rng(7)
    shape = (1, channels, 45, 70)
    yield random.random(shape, np.float32)
    yield _clouds(random, shape)
    yield 0.1 * _clouds(random, shape)
    yield 1 - 0.1 * _clouds(random, shape)
    yield random.random((1, channels, 9, 14), np.float32).repeat(5, 2).repeat(5, 3)
    yield np.broadcast_to(np.indices(shape[2:]).sum(0) % 2, shape).astype(np.float32)
    yield _clouds(random, (batch, channels, 31, 24))


def _clouds(random: np.random.Generator, shape: tuple[int, ...]) -> Picture:
    """Noise of a photograph's spectrum, 1/f, in 0 … 1."""
    rows, columns = (np.fft.fftfreq(size)[:, None] for size in shape[2:])
    frequency = np.maximum(np.hypot(rows, columns.T), 1 / max(shape))
    spectrum = np.fft.fft2(random.normal(size=shape)) / frequency
    values = np.fft.ifft2(spectrum).real
    low, high = values.min((2, 3), keepdims=True), values.max((2, 3), keepdims=True)
    clouds: Picture = ((values - low) / (high - low)).astype(np.float32)
    return clouds


def code_values(output: Picture) -> NDArray[np.float64]:
    """8 bit: clipped, scaled, halves rounded up."""
    codes: NDArray[np.float64] = np.floor(np.clip(output.astype(np.float64), 0, 1) * 255 + 0.5)
    return codes


def shows(good: Any, model: onnx.ModelProto, seen: Iterable[Picture]) -> bool:  # noqa: ANN401
    """Whether any picture differs by more than one code value, in size, or is not made at all."""
    try:
        bad = session(model)
        return any(_differs(good, bad, picture) for picture in seen)
    except Exception:  # ONNX Runtime's exceptions share no base of their own
        return True


def _differs(good: Any, bad: Any, picture: Picture) -> bool:  # noqa: ANN401
    (expected,), (found,) = (run.run(None, {_input(run): picture}) for run in (good, bad))
    if expected.shape != found.shape or not np.isfinite(found).all():
        return True
    return bool(np.abs(code_values(expected) - code_values(found)).max() > 1)


def _input(run: Any) -> str:  # noqa: ANN401
    return str(run.get_inputs()[0].name)


@functools.cache
def injected(host: str) -> tuple[Injected, ...]:
    """Every kind of fault that the specimen has a place for."""
    return put_into(specimen(host).model, specimen(host))


def visible(host: str) -> list[Injected]:
    return [fault for fault in injected(host) if fault.shows]


def put_into(model: onnx.ModelProto, whole: Specimen) -> tuple[Injected, ...]:
    """Every kind of fault that ``model``, a graph of the specimen, has a place for."""
    seen = tuple(pictures(whole.spec.channels, whole.spec.fixed_batch or 2))
    good, random = session(model), np.random.default_rng
    drawn = ((seed, fault(model, random(seed))) for fault in FAULTS.values() for seed in SEEDS)
    found = {m.model.SerializeToString(deterministic=True): (s, m) for s, m in drawn if m}
    return tuple(
        Injected(whole.name, mutant, seed, shows(good, mutant.model, seen))
        for seed, mutant in found.values()
    )


# --- the judged


def caught(model: onnx.ModelProto, good: Side, folder: Path) -> bool:
    """What :func:`verify` would say, without running the rest of the grid after a failure."""
    file = folder / "bad.onnx"
    onnx.save(model, file)
    try:
        bad = open_side(file)
    except NetworkError:
        return True
    cases = grid_of(bad, good).cases
    return not compare(good.op, bad.op, cases, good.spec.channels, until_failure=True)


def saved(whole: Specimen, folder: Path) -> Path:
    file = folder / "good.onnx"
    onnx.save(whole.model, file)
    return file


@pytest.mark.slow
@pytest.mark.parametrize("host", EVERY)
def test_every_fault_that_shows_is_caught(host: str, tmp_path: Path) -> None:
    faults = visible(host)
    good = open_side(saved(specimen(host), tmp_path))
    assert not caught(specimen(host).model, good, tmp_path), "nothing is wrong with it yet"
    missed = [str(fault) for fault in faults if not caught(fault.mutant.model, good, tmp_path)]
    assert not missed
    assert len(faults) >= 20, "the specimen hides faults: its picture must react to them"


@pytest.mark.slow
def test_verify_says_so_too(tmp_path: Path) -> None:
    """The whole of it; the test above takes the shortcut of :func:`caught`."""
    good = saved(specimen("edsr"), tmp_path)
    fault = visible("edsr")[0]
    onnx.save(fault.mutant.model, tmp_path / "bad.onnx")
    assert not verify(tmp_path / "bad.onnx", good), fault


@pytest.mark.slow
def test_there_are_enough_kinds() -> None:
    kinds = {fault.mutant.kind for host in FEW for fault in visible(host)}
    assert len(kinds) >= LEAST_KINDS


@pytest.mark.slow
@pytest.mark.parametrize("host", FEW)
def test_the_specimen_itself_is_never_changed(host: str) -> None:
    before = specimen(host).model.SerializeToString(deterministic=True)
    assert len(injected(host)) > 10
    assert specimen(host).model.SerializeToString(deterministic=True) == before


@pytest.mark.slow
@pytest.mark.parametrize("host", FEW)
def test_right_answers_are_nodes_of_the_mutant_or_the_specimen(host: str) -> None:
    names = [node.name for node in specimen(host).model.graph.node]
    assert len(names) == len(set(names))
    for fault in injected(host):
        known = {*names, *(node.name for node in fault.mutant.model.graph.node)}
        assert fault.mutant.nodes, fault
        assert fault.mutant.nodes <= known, fault


# --- blame


def disguised(mutant: Mutant) -> Mutant:
    """The mutant with its nodes in another order and other names throughout: neither can lead to
    the fault."""
    reordered = shuffled(mutant.model)
    model = anonymous(reordered)
    right = []
    for i, (old, new) in enumerate(zip(reordered.graph.node, model.graph.node, strict=True)):
        new.name = f"node_{i}"
        right += [new.name] if old.name in mutant.nodes else []
    return Mutant(model, frozenset(right), mutant.kind)


def misses(faults: Sequence[Injected], good: Path) -> list[str]:
    """A line for each fault that bisection does not name right; every second one is disguised."""
    bad = good.with_name("bad.onnx")
    named = [disguised(f.mutant) if i % 2 else f.mutant for i, f in enumerate(faults)]
    lines = [_miss(mutant, bad, good) for mutant in named]
    return [f"{fault}: {line}" for fault, line in zip(faults, lines, strict=True) if line]


def _miss(mutant: Mutant, bad: Path, good: Path) -> str | None:
    onnx.save(mutant.model, bad)
    try:
        found = bisect(bad, good)
    except NetworkError as error:
        return str(error)
    right = found.node in mutant.nodes
    return None if right else f"{found.summary()} instead of {sorted(mutant.nodes)}"


def expect_named(faults: Mapping[str, Sequence[Injected]], folder: Path) -> None:
    """At least :data:`LEAST_NAMED` of the faults by host; the rest make the message."""
    missed = [
        line
        for host, of_host in faults.items()
        for line in misses(of_host, saved(specimen(host), folder))
    ]
    total = sum(map(len, faults.values()))
    named, table = 1 - len(missed) / total, "\n".join(missed)
    assert named >= LEAST_NAMED, f"{named:.1%} of {total} named right; missed:\n{table}"


@pytest.mark.slow
def test_bisect_names_the_node(tmp_path: Path) -> None:
    expect_named({host: visible(host) for host in FEW}, tmp_path)


@pytest.mark.campaign
@pytest.mark.slow
def test_bisect_names_the_node_in_every_network(tmp_path: Path) -> None:
    """Those whose weights are not there are left out."""
    needed = {name: kind.needs for name, kind in KINDS.items()}
    there = [name for name, file in needed.items() if not file or (SHARED / file).is_file()]
    expect_named({host: visible(host) for host in there}, tmp_path)


@pytest.mark.slow
def test_bisect_names_the_node_of_another_exporter(tmp_path: Path) -> None:
    """The bad graph comes from another exporter than the right one, at another opset."""
    found = {
        host: put_into(traced(host), specimen(host)) for host in ("edsr", "fsrcnn", "restorer")
    }
    shown = {host: [fault for fault in faults if fault.shows] for host, faults in found.items()}
    expect_named(shown, tmp_path)


def traced(host: str) -> onnx.ModelProto:
    whole = specimen(host)
    free = {BATCH: 1, HEIGHT: 1, WIDTH: 1}
    example = torch.rand(1, whole.spec.channels, *EXAMPLE)
    return with_spec(run_exporter("trace", whole.module, example, 17, free), whole.spec)


@pytest.mark.slow
def test_bisect_names_the_node_against_a_checkpoint(tmp_path: Path) -> None:
    faults = visible("fast")[::7]
    found = [_miss(fault.mutant, tmp_path / "bad.onnx", BUNDLED) for fault in faults]
    assert found == [None] * len(faults)

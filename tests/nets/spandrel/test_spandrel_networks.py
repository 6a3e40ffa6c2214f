"""Every architecture of spandrel: our module computes what spandrel computes.

The networks are the small ones of ``benchmarks/architectures.toml``.
"""

import importlib
import re
import subprocess
import sys
import tomllib
from contextlib import nullcontext
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import cloudpickle
import pytest
import torch
from torch import Tensor

from subpixel.errors import CheckpointError
from subpixel.nets.checkpoints.checkpoint import load_checkpoint
from subpixel.nets.spandrel.module import import_spandrel
from subpixel.nets.spandrel.networks import StableSort
from subpixel.spec import ModelSpec
from untrained import load_untrained, untrained

# Other people's networks: what PyTorch calls deprecated or beside the point is theirs to change.
pytestmark = pytest.mark.filterwarnings("ignore")

CONFIGURATIONS = Path(__file__).parents[3] / "benchmarks" / "architectures.toml"

LARGE = {
    *("AdaCode", "CodeFormer", "DRCT", "FBCNN", "FeMaSR", "GFPGAN", "GRL", "IPT"),
    *("RestoreFormer", "SCUNet", "Uformer"),
}
"""Architectures whose smallest network takes seconds, or tens of megabytes."""

LARGEST = {"CodeFormer", "GFPGAN"}
"""Of them, what takes a minute and gigabytes."""

BROKEN = {
    "fdat-x2-dysample": "spandrel's FDAT asks for pinned memory, which only accelerators have",
}
"""Networks that PyTorch itself can't run here."""

REFUSED = {
    "AuraSR": "draws random numbers at every run",
    "DDColor": "1 input and 3 output channels",
    "LaMa": r"fills masked areas \(inpainting\)",
    "MAT": r"fills masked areas \(inpainting\)",
}


def networks() -> list[Any]:
    """All of them; one of each architecture is fast, and the others are slow tests."""
    entries = tomllib.loads(CONFIGURATIONS.read_text("utf-8"))["network"]
    seen = set(LARGE)
    parameters = []
    for entry in entries:
        architecture = entry["architecture"]
        if architecture not in REFUSED:
            marks = [pytest.mark.slow] if architecture in seen else []
            marks += [pytest.mark.campaign] if architecture in LARGEST else []
            if entry["name"] in BROKEN:
                marks.append(pytest.mark.xfail(reason=BROKEN[entry["name"]], strict=True))
            parameters.append(pytest.param(entry, id=entry["name"], marks=marks))
            seen.add(architecture)
    return parameters


@cache
def registry() -> Any:  # noqa: ANN401 - spandrel has no types
    """Both registries in one, for this test alone."""
    both = import_spandrel("spandrel").MAIN_REGISTRY.copy()
    both.add(*import_spandrel("spandrel_extra_arches").EXTRA_REGISTRY)
    return both


def built(entry: dict[str, Any]) -> dict[str, Tensor]:
    """The state dict of a random network, as its trainer would have written it."""
    torch.manual_seed(0)
    package = type(registry()[entry["architecture"]].architecture).__module__
    net = getattr(importlib.import_module(package), entry["class"])(**entry["arguments"])
    weights = {**net.state_dict(), **{mark: torch.ones(1) for mark in entry.get("marks", ())}}
    for pattern, replacement in entry.get("rename", ()):
        weights = {re.sub(pattern, replacement, key): value for key, value in weights.items()}
    return weights


def sizes(spec: ModelSpec) -> tuple[int, int]:
    """Height and width that the network works on, not the same where it may differ."""
    if spec.fixed_size:
        return spec.fixed_size
    step = spec.size_multiple
    least = -(-max(spec.size_minimum, 16) // step) * step
    return (least, least) if spec.square else (least + step, least)


@pytest.mark.sample(every=5)
@pytest.mark.parametrize("entry", networks())
def test_the_network_is_spandrels(tmp_path: Path, entry: dict[str, Any]) -> None:
    weights = built(entry)
    torch.save(weights, tmp_path / "net.pth")
    loaded = load_untrained(tmp_path / "net.pth", extra_architectures=True)
    spec, descriptor = loaded.spec, registry().load(dict(weights)).eval()
    assert spec.architecture == entry["architecture"]
    assert (spec.scale, spec.channels) == (descriptor.scale, descriptor.input_channels)
    pixels = torch.rand(1, spec.channels, *sizes(spec))
    given = pixels.clone()
    with torch.no_grad():
        found = loaded.module(given)
    assert torch.equal(given, pixels), "the input is left untouched"
    assert found.shape[-2:] == tuple(side * spec.scale for side in sizes(spec))
    if spec.architecture == "GFPGAN":  # spandrel draws new noise at every run
        with torch.no_grad():
            assert torch.equal(loaded.module(pixels), found)
    else:
        # spandrel's ATD leaves it to PyTorch in which order equal values are sorted
        with StableSort() if spec.architecture == "ATD" else nullcontext():
            assert torch.equal(found.clamp(0, 1), descriptor(pixels))


@pytest.mark.parametrize("architecture", ["DRUNet", "DnCNN"])
def test_a_noise_level_for_every_picture_of_a_batch(tmp_path: Path, architecture: str) -> None:
    entries = tomllib.loads(CONFIGURATIONS.read_text("utf-8"))["network"]
    for number, entry in enumerate(e for e in entries if e["architecture"] == architecture):
        torch.save(built(entry), tmp_path / f"{number}.pth")
        loaded = load_untrained(tmp_path / f"{number}.pth")
        pixels = torch.rand(3, loaded.spec.channels, *sizes(loaded.spec))
        with torch.no_grad():
            alone = torch.cat([loaded.module(one[None]) for one in pixels])
            torch.testing.assert_close(loaded.module(pixels), alone)


def entry_of(architecture: str) -> dict[str, Any]:
    entries = tomllib.loads(CONFIGURATIONS.read_text("utf-8"))["network"]
    return next(entry for entry in entries if entry["architecture"] == architecture)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["LaMa", "MAT", "DDColor"])
def test_networks_that_take_more_than_a_picture(tmp_path: Path, architecture: str) -> None:
    torch.save(built(entry_of(architecture)), tmp_path / "net.pth")
    with pytest.raises(CheckpointError, match=REFUSED[architecture]):
        load_untrained(tmp_path / "net.pth", extra_architectures=True)


def test_a_network_that_draws_random_numbers(tmp_path: Path) -> None:
    keys = ("mid_attn.layers.0.0.to_out", "mid_block2.block1.proj", "final_res_block.block1.proj")
    weights = {f"{keys[0]}.weight": torch.ones(1), **{f"{k}.weights": torch.ones(1) for k in keys}}
    torch.save(weights, tmp_path / "net.pth")
    with pytest.raises(CheckpointError, match=f"looks like AuraSR, but it {REFUSED['AuraSR']}"):
        load_untrained(tmp_path / "net.pth")


def test_the_facts(tmp_path: Path) -> None:
    swin = entry_of("SwinIR")
    torch.save(built(swin), tmp_path / "swin.pth")
    spec = load_untrained(tmp_path / "swin.pth").spec
    assert (spec.name, spec.architecture, spec.purpose) == ("swin", "SwinIR", "super-resolution")
    assert (spec.size_minimum, spec.pads, spec.licence) == (16, False, "unknown")
    torch.save(built(entry_of("NAFNet")), tmp_path / "naf.pth")
    assert load_untrained(tmp_path / "naf.pth").spec.purpose == "restoration"


def compact() -> dict[str, Tensor]:
    return built({"architecture": "Compact", "class": "Compact", "arguments": {"num_conv": 2}})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"body.0.bias": None}, r"looks like Compact, but body\.0\.bias is missing"),
        ({"extra.weight": torch.ones(1)}, r"looks like Compact, but .*extra\.weight"),
        ({"body.2.bias": torch.ones(5)}, r"body\.2\.bias has the shape \(5\) instead of \(64\)"),
        ({"body.2.weight": torch.full((64, 64, 3, 3), torch.nan)}, r"body\.2\.weight holds NaN"),
    ],
)
def test_weights_that_do_not_fit(
    tmp_path: Path, change: dict[str, Tensor | None], message: str
) -> None:
    weights = {key: value for key, value in {**compact(), **change}.items() if value is not None}
    torch.save(weights, tmp_path / "net.pth")
    with pytest.raises(CheckpointError, match=message) as caught:
        load_untrained(tmp_path / "net.pth")
    assert "\n" not in str(caught.value)


def test_a_small_file_that_asks_for_terabytes(tmp_path: Path) -> None:
    """Shapes of megabytes that a network multiplies: 2²⁰ features make layers of 2⁴⁰ weights."""
    weights = {
        "body.0.weight": torch.zeros(1 << 20, 1, 1, 1),
        "body.1.weight": torch.zeros(1),
        "body.4.weight": torch.zeros(12, 1, 3, 3),
        "body.4.bias": torch.zeros(12),
    }
    torch.save(weights, tmp_path / "net.pth")
    with pytest.raises(CheckpointError, match="requires a network of more than"):
        load_untrained(tmp_path / "net.pth")


def test_loading_leaves_the_random_numbers_alone(tmp_path: Path) -> None:
    torch.save(compact(), tmp_path / "net.pth")
    before = torch.random.get_rng_state()
    load_untrained(tmp_path / "net.pth")
    assert torch.equal(torch.random.get_rng_state(), before)


def test_extra_architectures_are_loaded_on_request_alone(tmp_path: Path) -> None:
    torch.save(built(entry_of("Restormer")), tmp_path / "net.pth")
    with pytest.raises(CheckpointError) as caught:
        load_untrained(tmp_path / "net.pth")
    assert "holds the network Restormer, which spandrel_extra_arches knows" in str(caught.value)
    assert "forbid commercial use" in str(caught.value)
    assert "--extra-architectures" in str(caught.value)
    loaded = load_untrained(tmp_path / "net.pth", extra_architectures=True)
    assert loaded.spec.architecture == "Restormer"
    file = replace(untrained(tmp_path / "net.pth"), extra_architectures=True)
    assert load_checkpoint(file).spec.architecture == "Restormer", "as the file says it"


ELSEWHERE = """
import pickle, sys, torch
module, pixels = pickle.load(sys.stdin.buffer)
assert not module.training
pickle.dump(module(pixels).detach().numpy(), sys.stdout.buffer)
"""


@pytest.mark.slow
def test_a_module_can_be_handed_to_another_process(tmp_path: Path) -> None:
    torch.save(built(entry_of("DnCNN")), tmp_path / "net.pth")
    loaded = load_untrained(tmp_path / "net.pth")
    pixels = torch.rand(1, loaded.spec.channels, 8, 8)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ELSEWHERE],
        input=cloudpickle.dumps((loaded.module, pixels)),
        capture_output=True,
        check=True,
    )
    found = torch.from_numpy(cloudpickle.loads(done.stdout))
    torch.testing.assert_close(found, loaded.module(pixels).detach())


def test_sorting_keeps_equal_values_in_order() -> None:
    few = torch.randint(0, 4, (3, 200))
    in_order = torch.sort(few, stable=True).indices
    with StableSort():
        assert torch.equal(torch.sort(few, dim=-1, stable=False).indices, in_order)
    left_open = torch.sort(few, stable=False).indices
    assert not torch.equal(left_open, in_order), "PyTorch sorts stably now: ATD needs no help"

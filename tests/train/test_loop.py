from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from subpixel.errors import CheckpointError, UsageError
from subpixel.nets.architectures.plain import PlainNet
from subpixel.nets.architectures.superresolution import SuperResolutionNet
from subpixel.train.data.source import Pair
from subpixel.train.loop import (
    Progress,
    copy_matching_weights,
    measure_psnr,
    train,
)
from subpixel.train.networks import build_network, fit_warm_start
from subpixel.train.presets import PRESETS, Preset
from subpixel.train.steps.order import RunInputs
from subpixel.train.steps.schedule import learning_rate
from subpixel.train.steps.stepping import choose_target

PRESET = Preset("plain", steps=30, finetune=10, channels=4, depth=1, batch=4, crop=8)


@dataclass(frozen=True)
class Spots:
    """Crops of one pair, by seed and step."""

    pair: Pair
    seed: int = 0

    def draw(self, size: int, crop: int, step: int) -> tuple[Tensor, ...]:
        random = np.random.default_rng((self.seed, step))
        spots = random.integers(len(self.pair.low) - crop + 1, size=(size, 2))
        sides = ((self.pair.low, 1), (self.pair.high, 2))
        low, high = (
            np.stack(
                [
                    plane[y * scale : (y + crop) * scale, x * scale : (x + crop) * scale]
                    for y, x in spots
                ]
            )
            for plane, scale in sides
        )
        return torch.from_numpy(low[:, None]), torch.from_numpy(high[:, None])

    def cut(self, parts: tuple[Tensor, ...], crop: int) -> tuple[Tensor, Tensor]:
        assert parts[0].shape[-1] == crop
        return parts[0], parts[1]


Pairs = tuple[Spots, list[Pair]]


@pytest.fixture(scope="module")
def pairs() -> Pairs:
    """Stripes: nearest neighbour, where an untrained network starts, is easily beaten on them."""
    x = np.arange(64)
    high = np.broadcast_to((np.sin(x / 3) + 1) / 2, (64, 64)).astype(np.float32)
    low = high.reshape(32, 2, 32, 2).mean(axis=(1, 3))
    return Spots(Pair(low, high)), [Pair(low, high)]


@pytest.fixture
def teacher() -> PlainNet:
    """Of another size than the student, and far from the truth: it makes pictures darker."""
    torch.manual_seed(5)
    net = PlainNet(2, channels=6, depth=2)
    assert net.last.bias is not None
    nn.init.constant_(net.last.bias, -0.25)
    return net


class KilledError(Exception):
    """Stands for SIGKILL: the loop ends between two steps, with nothing tidied up."""


def test_training_learns(pairs: Pairs, tmp_path: Path) -> None:
    seen: list[Progress] = []
    short, longer = (replace(PRESET, steps=steps, finetune=0, averaging=0.9) for steps in (1, 300))
    train(short, 2, *pairs, tmp_path / "short.state", report=seen.append)
    train(longer, 2, *pairs, tmp_path / "long.state", report=seen.append)
    assert seen[-1].psnr > seen[0].psnr + 3
    assert (seen[-1].step, seen[-1].steps, seen[-1].seconds_left) == (300, 300, 0)


@pytest.mark.sample(every=5)
@pytest.mark.parametrize("taught", [False, True])
@pytest.mark.parametrize("at", [13, 33])
def test_a_killed_run_resumes_to_the_same_weights(
    pairs: Pairs,
    teacher: PlainNet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    taught: bool,
    at: int,
) -> None:
    """Every step saved, killed before fine-tuning or in it, taken up again: the unbroken run's."""
    guide = teacher if taught else None
    unbroken = train(PRESET, 2, *pairs, tmp_path / "unbroken.state", teacher=guide).net

    monkeypatch.setattr("subpixel.train.loop.SAVE_EVERY_SECONDS", 0.0)
    monkeypatch.setattr("subpixel.train.loop.REPORT_EVERY_STEPS", at)

    def kill(_: Progress) -> None:
        raise KilledError

    broken = tmp_path / "broken.state"
    with pytest.raises(KilledError):
        train(PRESET, 2, *pairs, broken, teacher=guide, report=kill)
    resumed = train(PRESET, 2, *pairs, broken, teacher=guide).net
    for key, value in unbroken.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[key], value)


def test_the_teachers_own_weights_learn_from_photographs_alone(
    pairs: Pairs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until fine-tuning there is nothing to learn, but for rounding; the teacher never learns."""
    monkeypatch.setattr("subpixel.train.loop.REPORT_EVERY_STEPS", 1)
    torch.manual_seed(5)
    teacher = PlainNet(2, PRESET.channels, PRESET.depth)
    before = {key: value.clone() for key, value in teacher.state_dict().items()}
    seen: list[Progress] = []
    preset, state = replace(PRESET, steps=5, finetune=5), tmp_path / "a.state"
    train(preset, 2, *pairs, state, warm_start=teacher, teacher=teacher, report=seen.append)
    losses = [progress.loss for progress in seen]
    assert len(losses) == 10
    assert max(losses[:5]) < 1e-3
    assert min(losses[5:]) > 5e-3
    assert all(torch.equal(value, before[key]) for key, value in teacher.state_dict().items())


@pytest.mark.slow
def test_a_student_gets_nearer_to_its_teacher(
    pairs: Pairs, teacher: PlainNet, tmp_path: Path
) -> None:
    """Whose pictures are dark: nearer to it is further from the truth."""
    low = torch.from_numpy(pairs[1][0].low)[None, None]
    high = torch.from_numpy(pairs[1][0].high)[None, None]
    preset = replace(PRESET, steps=200, finetune=0, averaging=0.9)
    begun = build_network(preset, 2, seed=0)
    student = train(preset, 2, *pairs, tmp_path / "taught.state", teacher=teacher).net
    alone = train(preset, 2, *pairs, tmp_path / "alone.state").net
    with torch.no_grad():
        taught = teacher(low)
        gaps = [(net(low) - taught).abs().mean() for net in (begun, student)]
        assert gaps[1] < gaps[0] / 10
        assert (alone(low) - high).abs().mean() < (student(low) - high).abs().mean() / 5


def test_the_aim_is_as_the_teacher_says_and_carries_no_gradient(teacher: PlainNet) -> None:
    low, high = torch.rand(2, 1, 8, 8), torch.rand(2, 1, 16, 16)
    assert choose_target(None, low, high) is high
    wanted = choose_target(teacher, low, high)
    assert torch.equal(wanted, teacher(low))
    assert not wanted.requires_grad
    assert wanted.min() < 0, "not clipped"
    with torch.autocast("cpu", torch.bfloat16):
        rounded = choose_target(teacher, low, high)
    assert rounded.dtype == torch.float32
    torch.testing.assert_close(rounded, wanted, rtol=0, atol=0.02)
    assert not torch.equal(rounded, wanted), "in the arithmetic of the student"


@pytest.mark.parametrize("damaged", [True, False])
def test_the_state_of_another_run_is_refused(pairs: Pairs, tmp_path: Path, damaged: bool) -> None:
    state = tmp_path / "net.state"
    train(PRESET, 2, *pairs, state)
    if damaged:
        state.write_bytes(state.read_bytes()[:1000])
    preset = PRESET if damaged else replace(PRESET, channels=5)
    error, said = (
        (CheckpointError, "no state of this run")
        if damaged
        else (UsageError, "channels was 4 and is 5")
    )
    with pytest.raises(error, match=said):
        train(preset, 2, *pairs, state)


def test_a_state_is_taken_up_by_its_own_order_alone(pairs: Pairs, tmp_path: Path) -> None:
    """Each thing that differs is named, of a preset of another name only that."""
    state = tmp_path / "net.state"
    short = replace(PRESETS["smoke"], steps=2, finetune=1, crop=8)
    told = RunInputs("2 pictures of digest ab", warm_start="a" * 64)
    train(replace(PRESETS["smoke"], steps=2, finetune=1), 2, *pairs, state, inputs=told)
    other = replace(
        told, data="3 pictures of digest cd", denoise=True, minutes=2.5, teacher="b" * 64
    )
    with pytest.raises(UsageError) as refused:
        train(short, 2, *pairs, state, seed=7, inputs=replace(other, warm_start=None))
    assert str(refused.value) == (
        f"{state} is of a run that was told otherwise: preset was smoke and is none; "
        "seed was 0 and is 7; data was 2 pictures of digest ab and is 3 pictures of digest cd; "
        "denoise was off and is on; minutes was none and is 2.5; "
        "warm_start was aaaaaaaaaaaa… and is none; teacher was none and is bbbbbbbbbbbb…. "
        "Call it as before to go on, remove it to begin anew, or name another output"
    )
    longer = replace(PRESETS["smoke"], steps=3, finetune=1)
    with pytest.raises(UsageError, match=r"otherwise: steps was 2 and is 3\. Call"):
        train(longer, 2, *pairs, state, inputs=told)
    again = train(replace(PRESETS["smoke"], steps=2, finetune=1), 2, *pairs, state, inputs=told)
    assert again.steps == 3


def test_a_state_that_says_no_order_is_refused(pairs: Pairs, tmp_path: Path) -> None:
    """As those of earlier versions; before the first step nothing is lost by beginning anew."""
    state = tmp_path / "net.state"
    train(PRESET, 2, *pairs, state)
    content = torch.load(state, weights_only=True)
    del content["order"]
    torch.save(content, state)
    with pytest.raises(UsageError, match=r"earlier version and doesn't say .*; remove it to begin"):
        train(PRESET, 2, *pairs, state)
    torch.save(content | {"step": 0}, state)
    assert train(PRESET, 2, *pairs, state).steps == PRESET.length


def test_time_goes_on_where_it_was(pairs: Pairs, tmp_path: Path) -> None:
    """The seconds of all sessions count; a run whose time is over takes no further step."""
    state, told = tmp_path / "net.state", RunInputs(minutes=0.005)
    done = train(PRESET, 2, *pairs, state, seconds=0.3, inputs=told)
    assert done.steps > 0
    again = train(PRESET, 2, *pairs, state, seconds=0.3, inputs=told)
    assert (again.steps, again.seconds) == (done.steps, done.seconds)


def test_time_for_no_step_at_all_is_refused(pairs: Pairs, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="6e-08 s are over before the first step"):
        train(PRESET, 2, *pairs, tmp_path / "net.state", seconds=6e-8)


def test_the_seed_decides(pairs: Pairs, tmp_path: Path) -> None:
    nets = [
        train(PRESET, 2, *pairs, tmp_path / f"{name}.state", seed=seed).net.state_dict()
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    ]
    first, again, other = (net["first.weight"] for net in nets)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_the_rate_rises_and_falls_to_nothing() -> None:
    preset = PRESETS["fast"]
    rates = [learning_rate(preset, step) for step in range(0, preset.steps + preset.finetune, 50)]
    peak = rates.index(max(rates))
    assert rates[0] < rates[peak] / 50
    assert rates[peak] == pytest.approx(preset.rate, rel=0.01)
    assert rates[-1] < preset.rate / 1000
    assert sorted(rates[peak:], reverse=True) == rates[peak:]


def test_another_scale_lends_all_but_the_last_layer() -> None:
    source, target = PlainNet(3, 4, 2), PlainNet(2, 4, 2)
    last = target.last.weight.clone()
    copy_matching_weights(source, target)
    assert torch.equal(source.first.weight, target.first.weight)
    assert torch.equal(last, target.last.weight)


@pytest.mark.parametrize("scale", [2, 3])
def test_a_smaller_network_begins_a_larger_one(pairs: Pairs, tmp_path: Path, scale: int) -> None:
    """At the same scale it does all that the small one did; from another, all but the last."""
    small = train(PRESET, 2, *pairs, tmp_path / "small.state").net
    assert isinstance(small, PlainNet)
    preset = replace(PRESET, channels=6, depth=3)
    net = build_network(preset, scale, seed=0)
    assert isinstance(net, PlainNet)
    untaught = net.last.weight.clone()
    copy_matching_weights(fit_warm_start(small, preset, seed=0), net)
    assert torch.equal(net.first.weight[:4], small.first.weight)
    assert torch.equal(net.middle[0].weight[:4, :4], small.middle[0].weight)
    if scale == 2:
        low = torch.from_numpy(pairs[1][0].low)[None, None].double()
        torch.testing.assert_close(net.double()(low), small.double()(low), rtol=0, atol=1e-9)
    else:
        assert torch.equal(net.last.weight, untaught)


@pytest.mark.slow
def test_the_tutorials_network_is_trained_with_a_sum_and_trained_on(
    pairs: Pairs, tmp_path: Path
) -> None:
    preset = replace(PRESET, network="reference")
    first = train(preset, 2, *pairs, tmp_path / "first.state").net
    assert type(first) is SuperResolutionNet
    psnr = measure_psnr(first, pairs[1])[0]
    begun = replace(preset, steps=1, finetune=0, rate=0.0)
    again = train(begun, 2, *pairs, tmp_path / "again.state", warm_start=first).net
    assert measure_psnr(again, pairs[1])[0] == pytest.approx(psnr, abs=1e-3)
    elsewhere = SuperResolutionNet(2)
    with pytest.raises(CheckpointError, match="don't carry luma"):
        train(preset, 2, *pairs, tmp_path / "no.state", warm_start=elsewhere)


def test_a_larger_network_begins_no_smaller_one(pairs: Pairs, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="name a larger preset"):
        train(PRESET, 2, *pairs, tmp_path / "a.state", warm_start=PlainNet(2, 8, 2))


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [("fast", 10_000, 12_000), ("balanced", 90_000, 120_000), ("best", 320_000, 350_000)],
)
def test_presets_are_within_their_cost(name: str, least: int, most: int) -> None:
    preset = PRESETS[name]
    net = PlainNet(3, preset.channels, preset.depth)
    assert least <= sum(p.numel() for p in net.parameters() if p.ndim == 4) <= most

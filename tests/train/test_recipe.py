from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors import safe_open

from subpixel.errors import CheckpointError
from subpixel.graph.metadata import load_model, read_spec
from subpixel.nets.checkpoints.checkpoint import load_checkpoint
from subpixel.train.loop import Progress
from subpixel.train.presets import PRESETS
from subpixel.train.recipe import TrainingOutcome, TrainingRun, run_recipe

FAST = Path(__file__).resolve().parents[2] / "weights" / "fast-x3.safetensors"


@dataclass(frozen=True, eq=False)
class Done:
    """A run that went to its end."""

    order: TrainingRun
    outcome: TrainingOutcome
    seen: list[Progress]


@pytest.fixture(scope="module")
def order(tmp_path_factory: pytest.TempPathFactory) -> TrainingRun:
    folder = tmp_path_factory.mktemp("photographs")
    for index in range(3):
        noise = np.random.default_rng(index).integers(0, 256, (70, 90, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / f"{index}.png")
    return TrainingRun(
        PRESETS["smoke"], 2, folder, tmp_path_factory.mktemp("run") / "out" / "net.onnx"
    )


@pytest.fixture(scope="module")
def done(order: TrainingRun) -> Done:
    seen: list[Progress] = []
    return Done(order, run_recipe(order, seen.append), seen)


@pytest.mark.slow
def test_photographs_become_a_proven_network(done: Done) -> None:
    assert done.outcome
    spec = read_spec(load_model(done.order.out))
    assert spec == done.outcome.release.spec
    assert (spec.scale, spec.interface, spec.architecture) == (2, "rgb", "PlainNet")
    assert spec.halo == 4, "trained wide, exported narrow"
    made = {p.name for p in done.order.out.parent.iterdir()}
    assert {"net.onnx", "net.safetensors", "net.csv", "net.sample.png", "net.md"} <= made
    assert "net.state" not in made
    with safe_open(done.order.out.with_suffix(".safetensors"), "pt") as weights:
        assert weights.metadata() == {"steps": "25"}


@pytest.mark.slow
def test_a_run_leaves_its_record(done: Done) -> None:
    evaluation = done.outcome.evaluation
    assert evaluation is not None
    assert len(evaluation.scores) == 1, "of three pictures one is held out"
    rows = done.order.out.with_suffix(".csv").read_text().splitlines()
    assert rows[0] == "step,loss,held_out_psnr"
    assert [float(row.split(",")[2]) for row in rows[1:]] == [
        pytest.approx(progress.psnr, abs=1e-4) for progress in done.seen
    ]
    card = done.order.out.with_suffix(".md").read_text("utf-8")
    assert f"{evaluation.network.psnr:.2f}" in card
    assert "25 steps on 2 pictures" in card
    with Image.open(done.order.out.with_suffix(".sample.png")) as sample:
        assert sample.width > 900


@pytest.mark.slow
def test_one_trained_on_jpegs_is_measured_on_jpegs(done: Done) -> None:
    order = replace(done.order, denoise=True, out=done.order.out.with_stem("denoise"))
    outcome = run_recipe(order, lambda progress: None)
    assert outcome.evaluation is not None
    assert done.outcome.evaluation is not None
    assert outcome.evaluation.bicubic.psnr < done.outcome.evaluation.bicubic.psnr
    card = order.out.with_suffix(".md").read_text("utf-8")
    assert "went through JPEG or WebP, of quality 30 to 98" in card
    assert "stored as JPEG of quality 75" in card


@pytest.mark.slow
def test_the_weights_can_be_trained_on_at_another_scale(done: Done) -> None:
    """With a teacher of that scale, which the card names."""
    second = replace(
        done.order,
        scale=3,
        out=done.order.out.with_stem("net3"),
        warm_start=done.order.out.with_suffix(".safetensors"),
        teacher=FAST,
    )
    assert run_recipe(second, lambda progress: None).release.spec.scale == 3
    assert load_checkpoint(second.out.with_suffix(".safetensors")).spec.scale == 3
    card = second.out.with_suffix(".md").read_text("utf-8")
    assert f"teacher made of the low resolution: PlainNet, {FAST.name} (sha256 " in card
    assert "teacher" not in done.order.out.with_suffix(".md").read_text("utf-8")


class StoppedError(Exception):
    """Stands for a kill after the last step, before the export."""


@pytest.mark.slow
@pytest.mark.parametrize("taught", [True, False])
def test_a_run_aims_at_what_its_teacher_makes(done: Done, taught: bool, tmp_path: Path) -> None:
    """Which its own weights make already, but for rounding."""
    own = done.order.out.with_suffix(".safetensors")
    losses: list[float] = []

    def stop(progress: Progress) -> None:
        losses.append(progress.loss)
        raise StoppedError

    order = replace(
        done.order,
        preset=replace(done.order.preset, finetune=0),
        out=tmp_path / "net.onnx",
        warm_start=own,
        teacher=own if taught else None,
    )
    with pytest.raises(StoppedError):
        run_recipe(order, stop)
    assert (losses[0] < 0.01) == taught


def test_an_unfit_teacher_is_refused_before_the_photographs_are_looked_for(
    order: TrainingRun,
) -> None:
    nowhere = order.out.parent / "nowhere"
    with pytest.raises(CheckpointError, match=r"fast-x3.*enlarges by 3, not by 2; say 3, or "):
        run_recipe(
            replace(order, data=nowhere, out=nowhere / "net.onnx", teacher=FAST), lambda _: None
        )
    assert not nowhere.exists()


def test_a_warm_start_from_another_architecture_is_refused(
    order: TrainingRun, shared_data: Path, tmp_path: Path
) -> None:
    (reference,) = (shared_data / "seed").glob("superres*.pth")
    other = replace(order, warm_start=reference, out=tmp_path / "net.onnx")
    with pytest.raises(CheckpointError, match="no layer in common with a PlainNet"):
        run_recipe(other, lambda progress: None)

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from subpixel.errors import CheckpointError
from subpixel.graph.metadata import load_model, read_spec
from subpixel.nets.checkpoint import load_checkpoint
from subpixel.train.loop import Progress
from subpixel.train.presets import PRESETS
from subpixel.train.recipe import Run, run


@pytest.fixture
def order(tmp_path: Path) -> Run:
    folder = tmp_path / "photographs"
    folder.mkdir()
    for index in range(3):
        noise = np.random.default_rng(index).integers(0, 256, (70, 90, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / f"{index}.png")
    return Run(PRESETS["smoke"], 2, folder, tmp_path / "out" / "net.onnx")


def test_photographs_become_a_proven_network(order: Run) -> None:
    outcome = run(order, lambda progress: None)
    assert outcome
    spec = read_spec(load_model(order.out))
    assert spec == outcome.released.spec
    assert (spec.scale, spec.interface, spec.architecture) == (2, "rgb", "CompactNet")
    made = {p.name for p in order.out.parent.iterdir()}
    assert made == {"net.onnx", "net.safetensors", "net.csv", "net.sample.png", "net.md"}
    assert outcome.evaluation is not None
    assert len(outcome.evaluation.scores) == 1, "of three pictures one is held out"


def test_a_run_leaves_its_record(order: Run) -> None:
    seen: list[Progress] = []
    outcome = run(order, seen.append)
    assert outcome.evaluation is not None
    rows = order.out.with_suffix(".csv").read_text().splitlines()
    assert rows[0] == "step,loss,held_out_psnr"
    assert [float(row.split(",")[2]) for row in rows[1:]] == [
        pytest.approx(progress.psnr, abs=1e-4) for progress in seen
    ]
    card = order.out.with_suffix(".md").read_text("utf-8")
    assert f"{outcome.evaluation.network.psnr:.2f}" in card
    assert "25 steps on 2 pictures" in card
    with Image.open(order.out.with_suffix(".sample.png")) as sample:
        assert sample.width > 900


def test_the_weights_can_be_trained_on_at_another_scale(order: Run) -> None:
    run(order, lambda progress: None)
    second = replace(
        order,
        scale=3,
        out=order.out.with_stem("net3"),
        warm_start=order.out.with_suffix(".safetensors"),
    )
    assert run(second, lambda progress: None).released.spec.scale == 3
    assert load_checkpoint(second.out.with_suffix(".safetensors")).spec.scale == 3


def test_a_warm_start_from_another_architecture_is_refused(order: Run, shared_data: Path) -> None:
    (reference,) = (shared_data / "seed").glob("superres*.pth")
    with pytest.raises(CheckpointError, match="no layer to lend to a CompactNet"):
        run(replace(order, warm_start=reference), lambda progress: None)

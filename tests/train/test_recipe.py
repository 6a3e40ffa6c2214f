from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from subpixel.errors import CheckpointError
from subpixel.graph.metadata import load_model, read_spec
from subpixel.nets.checkpoint import load_checkpoint
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
    report = run(order, lambda progress: None)
    assert report
    spec = read_spec(load_model(order.out))
    assert spec == report.spec
    assert (spec.scale, spec.interface, spec.architecture) == (2, "rgb", "CompactNet")
    assert {p.name for p in order.out.parent.iterdir()} == {"net.onnx", "net.safetensors"}


def test_the_weights_can_be_trained_on_at_another_scale(order: Run) -> None:
    run(order, lambda progress: None)
    second = replace(
        order,
        scale=3,
        out=order.out.with_stem("net3"),
        warm_start=order.out.with_suffix(".safetensors"),
    )
    assert run(second, lambda progress: None).spec.scale == 3
    assert load_checkpoint(second.out.with_suffix(".safetensors")).spec.scale == 3


def test_a_warm_start_from_another_architecture_is_refused(order: Run, shared_data: Path) -> None:
    (reference,) = (shared_data / "seed").glob("superres*.pth")
    with pytest.raises(CheckpointError, match="no layer to lend to a CompactNet"):
        run(replace(order, warm_start=reference), lambda progress: None)

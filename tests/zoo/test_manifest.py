import re
from pathlib import Path

import onnx
import pytest

from subpixel.errors import NetworkError, UsageError
from subpixel.graph.check import check_model
from subpixel.graph.metadata import read_spec
from subpixel.measure.evaluate import benchmark, evaluate
from subpixel.upscaler import Upscaler
from subpixel.zoo.manifest import FOLDER, Bundled, bundled, find, verified

rows = pytest.mark.parametrize("row", bundled(), ids=lambda row: f"{row.name}-x{row.scale}")


def test_there_is_one_for_every_scale() -> None:
    assert [(row.name, row.scale) for row in bundled()] == [("compact", s) for s in (2, 3, 4)]
    assert {row.file for row in bundled()} == {p.name for p in FOLDER.glob("*.onnx")}


@rows
def test_the_file_is_what_the_manifest_says(row: Bundled) -> None:
    model = onnx.load(verified(row))
    spec = read_spec(model)
    assert spec is not None
    assert check_model(model, spec)
    assert (spec.name, spec.scale, spec.licence) == (row.name, row.scale, row.licence)
    assert row.path.stat().st_size < 200_000


@rows
def test_it_is_within_the_cost_of_its_class(row: Bundled) -> None:
    colour = 3 + 3 * 3 * 25 * row.scale**2  # luma, and the bicubic chroma, in the graph
    most = {"fast": 14_000, "espcn": 63_000, "balanced": 120_000}[row.name]
    assert 10_000 <= row.multiply_adds - colour <= most


@rows
@pytest.mark.parametrize("pictures", ["Set5", "Set14"])
def test_the_figures_are_measured(shared_data: Path, row: Bundled, pictures: str) -> None:
    """The manifest's PSNR, once more, and clearly above bicubic."""
    found = evaluate(Upscaler(row.path), benchmark(shared_data / "bench" / pictures, row.scale))
    assert found.network.psnr == pytest.approx(row.psnr[pictures], abs=0.01)
    assert found.bicubic.psnr == pytest.approx(row.bicubic_psnr[pictures], abs=0.01)
    assert found.network.psnr > found.bicubic.psnr + (1.5 if row.scale == 3 else 1.0)


def test_a_damaged_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = find("fast", 3)
    (tmp_path / row.file).write_bytes(row.path.read_bytes()[:-1])
    monkeypatch.setattr("subpixel.zoo.manifest.FOLDER", tmp_path)
    with pytest.raises(NetworkError, match="is damaged: its sha256"):
        verified(row)


def test_the_message_lists_what_there_is() -> None:
    with pytest.raises(UsageError, match=re.escape("it has 2, 3, 4")):
        find("fast", 7)

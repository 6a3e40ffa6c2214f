"""No false alarm: the same network by another road is the same, whatever its file looks like."""

from dataclasses import replace
from pathlib import Path

import onnx
import pytest
import torch
from faults.honest import REWRITINGS

from specimens import BUNDLED, EXAMPLE, SHARED, specimen
from subpixel.graph.metadata import with_spec
from subpixel.graph.passes.wrap import rgb_from_luma
from subpixel.nets.export.exporters import BATCH, HEIGHT, WIDTH, run_exporter
from subpixel.parity.bisect.bisect import bisect
from subpixel.parity.verify import verify
from subpixel.spec import Exporter

FEW, LONG = ("edsr", "fsrcnn"), ("superresolution", "rcan")
HOSTS = [*FEW, *(pytest.param(host, marks=pytest.mark.campaign) for host in LONG)]

pytestmark = pytest.mark.slow


def expect_equal(candidate: Path, reference: Path) -> None:
    report = verify(candidate, reference)
    assert report, report.summary()
    found = bisect(candidate, reference)
    assert found.equal, found.summary()


def saved(model: onnx.ModelProto, file: Path) -> Path:
    onnx.save(model, file)
    return file


PAIRS = [
    pytest.param(host, rewriting, marks=() if host == FEW[row % len(FEW)] else pytest.mark.campaign)
    for row, rewriting in enumerate(REWRITINGS)
    for host in (*FEW, *LONG)
]
"""CI has every rewriting on one network: all of them take an hour."""


@pytest.mark.parametrize(("host", "rewriting"), PAIRS)
def test_rewritten_graphs(host: str, rewriting: str, tmp_path: Path) -> None:
    model = specimen(host).model
    rewritten = REWRITINGS[rewriting](model)
    expect_equal(saved(rewritten, tmp_path / "other.onnx"), saved(model, tmp_path / "first.onnx"))


@pytest.mark.parametrize("host", HOSTS)
def test_parameters_in_another_file(host: str, tmp_path: Path) -> None:
    model = specimen(host).model
    first = saved(model, tmp_path / "first.onnx")
    copied = onnx.load(first)
    other = tmp_path / "other.onnx"
    onnx.save(copied, other, save_as_external_data=True, location="other.data", size_threshold=0)
    expect_equal(other, first)


ROADS: tuple[tuple[Exporter, int], ...] = (
    ("dynamo", 20),
    ("dynamo", 22),
    ("trace", 11),
    ("trace", 20),
    ("script", 17),
)
MORE_ROADS: tuple[tuple[Exporter, int], ...] = (("trace", 13), ("trace", 17))


@pytest.mark.parametrize(
    "host",
    [
        "edsr",
        pytest.param("superresolution", marks=pytest.mark.campaign),
    ],
)
@pytest.mark.parametrize(
    "road",
    [*ROADS, *(pytest.param(road, marks=pytest.mark.campaign) for road in MORE_ROADS)],
    ids=lambda road: f"{road[0]}-{road[1]}",
)
def test_other_exporters_and_opsets(host: str, road: tuple[Exporter, int], tmp_path: Path) -> None:
    whole = specimen(host)
    example = torch.rand(1, whole.spec.channels, *EXAMPLE)
    model = run_exporter(road[0], whole.module, example, road[1], {BATCH: 1, HEIGHT: 1, WIDTH: 1})
    other = saved(with_spec(model, whole.spec), tmp_path / "other.onnx")
    expect_equal(other, saved(whole.model, tmp_path / "first.onnx"))


@pytest.mark.parametrize("host", ["fsrcnn", pytest.param("fast", marks=pytest.mark.campaign)])
def test_either_interface(host: str, tmp_path: Path) -> None:
    whole = specimen(host)
    wrapped = rgb_from_luma(whole.model, whole.spec.scale)
    rgb = saved(with_spec(wrapped, replace(whole.spec, interface="rgb")), tmp_path / "rgb.onnx")
    native = saved(whole.model, tmp_path / "native.onnx")
    expect_equal(rgb, native)
    expect_equal(native, rgb)


@pytest.mark.parametrize(
    ("host", "checkpoint"),
    [
        ("fast", BUNDLED),
        ("fast-rgb", BUNDLED),
        ("superresolution", SHARED / "seed" / "superres_epoch100-44c6958e.pth"),
    ],
)
def test_against_the_checkpoint(host: str, checkpoint: Path, tmp_path: Path) -> None:
    expect_equal(saved(specimen(host).model, tmp_path / "net.onnx"), checkpoint)

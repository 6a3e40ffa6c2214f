"""Exports that are right at sizes like the example's alone: refused, and ours are right at all.

Both networks are exported as by somebody who knows no better: from the example that comes to
mind first, with dynamic axes asked for, and nothing checked.
"""

import warnings
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from rounding import spread
from specimens import network
from subpixel.nets.torch_op import ExactOp
from subpixel.parity.compare import ParityReport
from subpixel.parity.verify import verify
from subpixel.publish.release import release
from untrained import load_untrained, untrained

pytestmark = pytest.mark.slow

Picture = NDArray[np.float32]

EXAMPLE = (64, 72)
SIZES = ((51, 67), (33, 47), (64, 72), (40, 95), (72, 64))
HOSTS = ("real-cugan", "swinir")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For each network a checkpoint and what the exporter makes of it: ``<name>.pth, .onnx``."""
    folder = tmp_path_factory.mktemp("specialised")
    for host in HOSTS:
        torch.save(network(host).state_dict(), folder / f"{host}.pth")
        export_naively(network(host), folder / f"{host}.onnx")
    return folder


def export_naively(module: nn.Module, file: Path) -> None:
    """``torch.onnx.export`` with a dynamic height and width, and no further thought."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            (torch.rand(1, 3, *EXAMPLE),),
            file,
            dynamo=True,
            dynamic_shapes=({2: "height", 3: "width"},),
            external_data=False,
            verbose=False,
        )


def picture(height: int, width: int) -> Picture:
    return np.random.default_rng(5).random((1, 3, height, width), np.float32)


def by_onnx_runtime(file: Path, pixels: Picture) -> Picture:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    (result,) = session.run(None, {session.get_inputs()[0].name: pixels})
    return np.asarray(result)


def by_pytorch(module: nn.Module, pixels: Picture) -> Picture:
    with torch.inference_mode():
        return np.asarray(module(torch.from_numpy(pixels)))


def reasons(report: ParityReport, height: int, width: int) -> str:
    """Why the pictures of that size fail."""
    failures = (r for r in report.failures if (r.case.height, r.case.width) == (height, width))
    return "; ".join(str(result.reason) for result in failures)


@pytest.mark.parametrize("host", HOSTS)
def test_the_naive_export_is_right_at_its_example(host: str, folder: Path) -> None:
    """Which is all that it takes to be fooled."""
    pixels = picture(*EXAMPLE)
    found = by_onnx_runtime(folder / f"{host}.onnx", pixels)
    expected = by_pytorch(network(host), pixels)
    exact = ExactOp(network(host))(pixels)
    np.testing.assert_allclose(found, expected, rtol=0, atol=spread(expected, exact))


def test_real_cugan_gives_another_size(folder: Path) -> None:
    found = by_onnx_runtime(folder / "real-cugan.onnx", picture(51, 67))
    assert found.shape == (1, 3, 104, 136)
    assert by_pytorch(network("real-cugan"), picture(51, 67)).shape == (1, 3, 102, 134)
    report = verify(folder / "real-cugan.onnx", untrained(folder / "real-cugan.pth"))
    assert not report
    said = "the candidate gives (1, 3, 104, 136) where the reference gives (1, 3, 102, 134)"
    assert said in reasons(report, 51, 67)


def test_a_window_network_dies_in_a_reshape(folder: Path) -> None:
    with pytest.raises(Exception, match="Reshape"):
        by_onnx_runtime(folder / "swinir.onnx", picture(51, 67))
    report = verify(folder / "swinir.onnx", untrained(folder / "swinir.pth"))
    assert not report
    assert "the candidate fails" in reasons(report, 51, 67)
    assert "Reshape" in reasons(report, 51, 67)


@pytest.mark.campaign  # test_release.py has a small network of windows
@pytest.mark.parametrize("host", HOSTS)
def test_our_export_is_right_at_every_size(host: str, folder: Path) -> None:
    loaded = load_untrained(folder / f"{host}.pth")
    ours = folder / f"{host}-ours.onnx"
    assert release(loaded.module, ours, spec=loaded.spec)
    for size in SIZES:
        expected = by_pytorch(network(host), picture(*size))
        found = by_onnx_runtime(ours, picture(*size))
        assert found.shape == expected.shape
        assert np.abs(found - expected).max() < 0.5 / 255

"""BRISQUE, with a random regression: the true one lies on the internet, where no test goes."""

import pickle
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from skimage import data

from subpixel.errors import ProviderError, UsageError
from subpixel.measure.benchmark_set import benchmark
from subpixel.measure.evaluate import evaluate
from subpixel.nets import naturalness
from subpixel.nets.naturalness import load_brisque
from subpixel.nets.spandrel.torchvision_schemas import ensure_torchvision

ensure_torchvision()  # before piq imports it
pytest.importorskip("piq", reason="needs the extra perceptual")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file in which PyTorch keeps the weights; it isn't there."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "torch" / "hub" / "checkpoints" / Path(naturalness.WEIGHTS_URL).name


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What is fetched: random coefficients, and support vectors of 36 features in -1 … 1."""
    torch.manual_seed(1)
    file = tmp_path / "there" / Path(naturalness.WEIGHTS_URL).name
    file.parent.mkdir()
    torch.save((100 * torch.randn(50, dtype=torch.float64), torch.rand(50, 36) * 2 - 1), file)
    monkeypatch.setattr(naturalness, "WEIGHTS_URL", file.as_uri())
    return file


@pytest.fixture(scope="module")
def astronaut() -> NDArray[np.uint8]:
    picture: NDArray[np.uint8] = data.astronaut()  # type: ignore[no-untyped-call]
    return picture[100:180, 200:290]


def test_the_figure_is_piqs_own(home: Path, weights: Path, astronaut: NDArray[np.uint8]) -> None:
    """Of the picture in 0 … 255, channels in their order; fetched once, and said."""
    told: list[str] = []
    score = load_brisque(told.append)(astronaut)
    assert home.read_bytes() == weights.read_bytes()
    assert len(told) == 1
    load_brisque(told.append)
    assert len(told) == 1
    pixels = torch.from_numpy(astronaut.transpose(2, 0, 1)[None].astype(np.float32))
    expected = float(import_module("piq").brisque(pixels, data_range=255))
    assert score == pytest.approx(expected, rel=1e-4)
    assert load_brisque()(np.ascontiguousarray(astronaut[..., ::-1])) != pytest.approx(score)


def test_it_stands_beside_the_others(
    home: Path, weights: Path, astronaut: NDArray[np.uint8], tmp_path: Path
) -> None:
    """Of the network's picture and of bicubic's, without their border."""
    assert weights != home
    (tmp_path / "truth").mkdir()
    Image.fromarray(astronaut).save(tmp_path / "truth" / "a.png")
    brisque = load_brisque()
    result = evaluate(
        lambda low: low.repeat(2, 0).repeat(2, 1),
        benchmark(tmp_path / "truth", 2),
        naturalness=brisque,
    )
    assert result.network.lpips is None
    assert result.network.brisque != result.bicubic.brisque
    plain = evaluate(lambda low: low.repeat(2, 0).repeat(2, 1), benchmark(tmp_path / "truth", 2))
    assert plain.network.brisque is None


@pytest.mark.usefixtures("home", "weights")
@pytest.mark.parametrize(
    ("shape", "message"), [((15, 40, 3), "16 pixels and more"), ((40, 40, 3), "contrast")]
)
def test_pictures_without_statistics_are_refused(shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load_brisque()(np.zeros(shape, np.uint8))


def test_weights_out_of_reach_are_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(naturalness, "WEIGHTS_URL", (home.parent / "nowhere" / home.name).as_uri())
    with pytest.raises(ProviderError, match="can't be fetched"):
        load_brisque()


class _Call:
    """Runs a function when it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return print, ("called",)


@pytest.mark.parametrize("content", [b"", b"PK", pickle.dumps(_Call())])
def test_weights_that_are_no_tensors_are_refused(
    home: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    """And nothing in them is called."""
    home.parent.mkdir(parents=True)
    home.write_bytes(content)
    with pytest.raises(ProviderError, match="is damaged"):
        load_brisque()
    assert capsys.readouterr().out == ""

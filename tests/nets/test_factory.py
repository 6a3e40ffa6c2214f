"""``--module package.module:factory``: the user's own code, and what is said when it fails."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from subpixel.errors import CheckpointError
from subpixel.nets.factory import load_factory

MODULE = '''
import torch
from torch import nn
from torch.nn import functional

from subpixel.spec import ModelSpec


class Nearest(nn.Module):
    """Nearest neighbour, for sizes that are multiples of ``multiple``."""

    def __init__(self, scale, channels, multiple=1):
        super().__init__()
        self.layer = nn.Conv2d(channels, channels, 1, bias=False)
        with torch.no_grad():
            self.layer.weight[:] = torch.eye(channels)[..., None, None]
        self.scale, self.multiple = scale, multiple

    def forward(self, x):
        if x.shape[2] % self.multiple or x.shape[3] % self.multiple:
            raise ValueError("not a multiple")
        return functional.interpolate(self.layer(x), scale_factor=self.scale)


def rgb():
    return Nearest(2, 3).train()

def luma():
    return Nearest(3, 1)

def restorer():
    return Nearest(1, 3)

def windowed():
    return Nearest(2, 3, multiple=8)

def described():
    return Nearest(2, 3).half(), ModelSpec("mine", 2, "rgb", "rgb", licence="MIT")

class Rounding(nn.Module):
    def forward(self, x):
        return torch.round(x)

def bytes_range():
    return nn.Sequential(Nearest(2, 3), Rounding())

def classifier():
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 10))

def nothing():
    return None

def weights():
    return Nearest(2, 3), {"scale": 2}

def raises():
    raise FileNotFoundError("weights.pth")

def exits():
    raise SystemExit(3)

NUMBER = 3
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "__init__.py").touch()
    (tmp_path / "mine" / "net.py").write_text(MODULE)
    (tmp_path / "mine" / "broken.py").write_text("import a_package_that_is_not_there")
    (tmp_path / "mine" / "wrong.py").write_text("1 / 0")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] == "mine"]:
        del sys.modules[name]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("name", "scale", "colour", "multiple", "purpose"),
    [
        ("rgb", 2, "rgb", 1, "super-resolution"),
        ("luma", 3, "luma", 1, "super-resolution"),
        ("restorer", 1, "rgb", 1, "restoration"),
        ("windowed", 2, "rgb", 8, "super-resolution"),
    ],
)
def test_the_facts_are_found_out(
    name: str, scale: int, colour: str, multiple: int, purpose: str
) -> None:
    loaded = load_factory(f"mine.net:{name}")
    spec = loaded.spec
    assert (spec.scale, spec.colour, spec.interface) == (scale, colour, colour)
    assert (spec.size_multiple, spec.purpose, spec.architecture) == (multiple, purpose, "Nearest")
    assert (spec.name, spec.origin, spec.licence) == (name, f"mine.net:{name}", "unknown")
    assert not loaded.module.training


@pytest.mark.usefixtures("folder")
def test_facts_that_are_given_are_taken() -> None:
    loaded = load_factory("mine.net:described")
    assert (loaded.spec.name, loaded.spec.licence) == ("mine", "MIT")
    assert isinstance(loaded.module, nn.Module)
    assert {parameter.dtype for parameter in loaded.module.parameters()} == {torch.float32}


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("mine.net", "is no reference to a factory; write package.module:factory"),
        ("mine/net.py:rgb", "is no reference to a factory; write package.module:factory"),
        ("yours.net:rgb", "there is no module yours, in .* or among the installed packages"),
        ("mine.other:rgb", r"there is no module mine\.other, in "),
        ("mine.broken:rgb", "importing mine.broken failed: No module named 'a_package_that_is"),
        ("mine.wrong:rgb", "importing mine.wrong failed: ZeroDivisionError: division by zero"),
        ("mine.net:rgg", "rgg is not there in mine.net; near it is rgb"),
        ("mine.net:NUMBER", "NUMBER isn't a function in mine.net"),
        ("mine.net:raises", r"raises\(\) failed: FileNotFoundError: weights.pth"),
        ("mine.net:exits", r"exits\(\) failed: SystemExit: 3"),
        ("mine.net:nothing", "returned NoneType; a factory returns a torch.nn.Module, or one"),
        ("mine.net:weights", "returned Nearest, dict; a factory returns"),
        ("mine.net:classifier", r"no super-resolution network: it turns the shape \(1, 3, 49, 51"),
        ("mine.net:bytes_range", "works for values in 0..255 .* not in 0..1"),
    ],
)
def test_one_line_says_what_is_wrong(reference: str, message: str) -> None:
    torch.manual_seed(0)
    with pytest.raises(CheckpointError, match=message) as caught:
        load_factory(reference)
    assert str(caught.value).startswith(f"{reference}: ")
    assert "\n" not in str(caught.value)

"""``--module package.module:factory``: the user's own code, and what is said when it fails."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from subpixel.errors import CheckpointError, NetworkError, UsageError
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

class Other(Nearest):
    """Whose result ``change`` replaces, by the picture and the result."""

    def __init__(self, change, multiple=1):
        super().__init__(2, 3, multiple)
        self.change = change

    def forward(self, x):
        return self.change(x, super().forward(x))

class Sigma(Nearest):
    def forward(self, x, sigma):
        return super().forward(x)

class Named(Nearest):
    def forward(self, x, *, sigma):
        return super().forward(x)

class Preset(Nearest):
    def forward(self, x, sigma=0.1, *, more=None):
        return super().forward(x)

class Blind(Nearest):
    def forward(self):
        return None

class Filled(Nearest):
    """A hook gives what forward needs."""

    def __init__(self):
        super().__init__(2, 3)
        self.register_forward_pre_hook(lambda module, inputs: (*inputs, 0.1))

    def forward(self, x, sigma):
        return super().forward(x)

class Counting(Nearest):
    runs = 0

    def forward(self, x):
        self.runs += 1
        return super().forward(x) + self.runs / 100

class Wrong(Nearest):
    """Fails at the sizes that it takes, too."""

    def forward(self, x):
        super().forward(x)
        raise TypeError("beyond the windows")

class Flipped(Nearest):
    def forward(self, x):
        return super().forward(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)

class Single(Nearest):
    def forward(self, x):
        channels, height, width = x.shape
        return super().forward(x[None])[0]

class Plane(Nearest):
    def forward(self, x):
        height, width, channels = x.shape
        return super().forward(x.permute(2, 0, 1)[None])[0].permute(1, 2, 0)

def a_pair():
    return Other(lambda x, y: (y, None))

def a_list():
    return Other(lambda x, y: [y, [y]])

def a_table():
    return Other(lambda x, y: {"sr": y})

def none_at_all():
    return Other(lambda x, y: None)

def a_pair_of_windows():
    return Other(lambda x, y: (y, x), multiple=16)

def sigma():
    return Sigma(2, 3)

def named():
    return Named(2, 3)

def preset():
    return Preset(2, 3)

def blind():
    return Blind(2, 3)

def filled():
    return Filled()

def noise():
    return Other(lambda x, y: y + 0.02 * torch.randn_like(y))

def little_noise():
    return Other(lambda x, y: y + 1e-6 * torch.randn_like(y))

def dropout():
    return Other(lambda x, y: functional.dropout(y, 0.1))

def counting():
    return Counting(2, 3)

def described_noise():
    return noise(), ModelSpec("mine", 2, "rgb", "rgb")

def half_as_much():
    return Other(lambda x, y: functional.interpolate(x, scale_factor=1.5))

def half_of_windows():
    return Other(lambda x, y: functional.interpolate(x, scale_factor=1.5), multiple=16)

def wider():
    return Other(lambda x, y: functional.interpolate(x, scale_factor=(2, 1)))

def wrong_windows():
    return Wrong(2, 3, multiple=16)

def flipped():
    return Flipped(2, 3)

def single():
    return Single(2, 1)

def plane():
    return Plane(2, 3)

def meta():
    with torch.device("meta"):
        return nn.Sequential(nn.Conv2d(3, 12, 3, padding=1), nn.PixelShuffle(2))

def half_meta():
    return nn.Sequential(nn.Conv2d(3, 12, 3, padding=1), nn.PixelShuffle(2), meta()[:1])

def described_meta():
    return meta(), ModelSpec("mine", 2, "rgb", "rgb")

def lazy():
    return nn.Sequential(nn.LazyConv2d(12, 3, padding=1), nn.PixelShuffle(2))

INSTANCE = Nearest(2, 3).half()

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

def end(*_):
    raise SystemExit(0)

def leaves():
    return Other(end)

def leaves_windows():
    module = Nearest(2, 3, multiple=16)
    module.register_forward_hook(end)
    return module

class Staying(Nearest):
    def train(self, mode=True):
        raise SystemExit("always")

def staying():
    return Staying(2, 3)

class Late(Nearest):
    """Another network from its third run on."""
    runs = 0

    def forward(self, x):
        self.runs += 1
        return super().forward(x) * (0.5 if self.runs > 2 else 1)

def four_channels():
    return nn.Sequential(nn.Conv2d(4, 16, 3, padding=1), nn.PixelShuffle(2))

def codes():
    return Other(lambda x, y: (y * 255).round())

def late():
    return Late(2, 3)

NUMBER = 3
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "__init__.py").touch()
    (tmp_path / "mine" / "net.py").write_text(MODULE)
    (tmp_path / "mine" / "broken.py").write_text("import a_package_that_is_not_there")
    (tmp_path / "mine" / "wrong.py").write_text("1 / 0")
    (tmp_path / "mine" / "ending.py").write_text("raise SystemExit(0)")
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
        ("preset", 2, "rgb", 1, "super-resolution"),
        ("filled", 2, "rgb", 1, "super-resolution"),
        ("INSTANCE", 2, "rgb", 1, "super-resolution"),
        ("little_noise", 2, "rgb", 1, "super-resolution"),
    ],
)
def test_the_facts_are_found_out(
    name: str, scale: int, colour: str, multiple: int, purpose: str
) -> None:
    loaded = load_factory(f"mine.net:{name}")
    spec = loaded.spec
    assert (spec.scale, spec.colour, spec.interface) == (scale, colour, colour)
    assert (spec.size_multiple, spec.purpose) == (multiple, purpose)
    assert spec.architecture == type(loaded.module).__name__
    assert (spec.name, spec.origin, spec.licence) == (name, f"mine.net:{name}", "unknown")
    assert not loaded.module.training


@pytest.mark.usefixtures("folder")
def test_facts_that_are_given_are_taken() -> None:
    loaded = load_factory("mine.net:described")
    assert (loaded.spec.name, loaded.spec.licence) == ("mine", "MIT")
    assert isinstance(loaded.module, nn.Module)
    assert {parameter.dtype for parameter in loaded.module.parameters()} == {torch.float32}


@pytest.mark.usefixtures("folder")
def test_a_module_in_place_of_a_function_stays_as_it_is() -> None:
    loaded = load_factory("mine.net:INSTANCE")
    own = sys.modules["mine.net"].INSTANCE
    assert loaded.module is not own
    assert own.training
    assert {parameter.dtype for parameter in own.parameters()} == {torch.float16}
    assert {parameter.dtype for parameter in loaded.module.parameters()} == {torch.float32}


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("yours.net:rgb", "there is no module yours, in .* or among the installed packages"),
        ("mine.other:rgb", r"there is no module mine\.other, in "),
        ("mine.broken:rgb", "importing mine.broken failed: No module named 'a_package_that_is"),
        ("mine.wrong:rgb", "importing mine.wrong failed: ZeroDivisionError: division by zero"),
        ("mine.net:rgg", "rgg is not there in mine.net; near it is rgb"),
        ("mine.net:NUMBER", "NUMBER isn't a function in mine.net"),
        ("mine.net:raises", r"raises\(\) failed: FileNotFoundError: weights.pth"),
        ("mine.net:exits", r"exits\(\) failed: SystemExit: 3"),
        ("mine.net:four_channels", r"takes 4 channels; .* return 1 \(luma\) or 3 \(RGB\): wrap it"),
        (
            "mine.net:codes",
            r"takes values in 0\.\.1 and returns them in 0\.\.255 \(.* \(divide by 255\)$",
        ),
        ("mine.ending:net", "importing mine.ending failed: SystemExit: 0"),
        ("mine.net:leaves", r"it fails on a picture of shape \(1, 3, 49, 51\): SystemExit: 0"),
        ("mine.net:leaves_windows", "ValueError: not a multiple; .*: SystemExit: 0"),
        ("mine.net:staying", "can't be put in eval mode, in float32: SystemExit: always"),
        ("mine.net:nothing", "returned NoneType; a factory returns a torch.nn.Module, or one"),
        ("mine.net:weights", "returned Nearest, dict; a factory returns"),
        ("mine.net:meta", "2 of its 2 weights have no values, on the device 'meta': 0.weight, 0.b"),
        ("mine.net:half_meta", "2 of its 4 weights have no values, .* 2.0.weight, .*; load the we"),
        ("mine.net:described_meta", "2 of its 2 weights have no values, on the device 'meta'"),
        ("mine.net:lazy", "2 of its 2 weights have no values, of layers that have not run yet: 0."),
        (
            "mine.net:sigma",
            r"its forward\(x, sigma\) can't be called with a picture .*'sigma'",
        ),
        (
            "mine.net:named",
            r"its forward\(x, sigma\) .* give the other inputs default values",
        ),
        ("mine.net:blind", r"its forward\(\) can't be called with a picture alone"),
        ("mine.net:a_pair", r"returns a tuple of 2: a tensor \(1, 3, 98, 102\), None; .* wrap it"),
        ("mine.net:a_list", r"returns a list of 2: a tensor \(1, 3, 98, 102\), a list; .* wrap it"),
        ("mine.net:a_table", r"returns a dict of 1: 'sr': a tensor \(1, 3, 98, 102\); .* wrap it"),
        ("mine.net:none_at_all", "returns None; a network must return one tensor"),
        ("mine.net:a_pair_of_windows", "returns a tuple of 2: a tensor"),
        ("mine.net:noise", "other results for the same picture: they differ by up to .* code val"),
        ("mine.net:dropout", "other results for the same picture: .* by dropout, noise or a state"),
        ("mine.net:counting", "computes other results for the same picture"),
        ("mine.net:described_noise", "computes other results for the same picture"),
        ("mine.net:half_as_much", "it enlarges by 1.5; subpixel runs .* by a whole number"),
        ("mine.net:half_of_windows", "it enlarges by 1.5; subpixel runs .* by a whole number"),
        (
            "mine.net:wider",
            r"turns the shape \(1, 3, 49, 51\) into \(1, 3, 98, 51\), .* whole nu",
        ),
        ("mine.net:wrong_windows", "ValueError: not a multiple; .*TypeError: beyond the windows$"),
        ("mine.net:flipped", r"takes pictures as \(N, H, W, C\); .* \(N, C, H, W\): wrap it"),
        ("mine.net:single", r"takes pictures as \(C, H, W\); .* \(N, C, H, W\): wrap it"),
        ("mine.net:plane", r"takes pictures as \(H, W, C\); .* \(N, C, H, W\): wrap it"),
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


@pytest.mark.usefixtures("folder")
def test_what_a_module_computed_first_must_hold() -> None:
    loaded = load_factory("mine.net:late")
    assert [early.picture.shape for early in loaded.early] == [(1, 3, 49, 51), (1, 3, 48, 48)]
    with pytest.raises(NetworkError, match="between an early run and a later one, by dropout, noi"):
        loaded.expect_unchanged()
    load_factory("mine.net:rgb").expect_unchanged()


@pytest.mark.parametrize(
    ("reference", "meant"),
    [
        ("mine", "mine:FACTORY"),
        ("mine.net", "mine.net:FACTORY"),
        ("mine.py:rgb", "mine:rgb"),
        ("./mine/net.py:rgb", "mine.net:rgb"),
        ("mine net:rgb", "package.module:factory"),
    ],
)
def test_a_reference_of_another_form(reference: str, meant: str) -> None:
    with pytest.raises(
        UsageError, match=f"{reference} is no reference to a factory; write {meant}$"
    ):
        load_factory(reference)

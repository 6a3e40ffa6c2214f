"""The numbers in a network's own code are found wherever they are written down."""

from functools import partial

import torch
from torch import Tensor, nn

from subpixel.nets.export.code_numbers import code_numbers

FILE_LIMIT = 411


def is_large(height: int) -> bool:
    return height > 222


class Parts(nn.Module):
    limit = 333

    def __init__(self) -> None:
        super().__init__()
        self.window_size = 12
        self.shape = (640, 48)
        self.inner = nn.ModuleList([Inner()])

    def forward(self, picture: Tensor) -> Tensor:
        if picture.shape[2] > 300**2 or is_large(picture.shape[3]):
            return picture * 2
        return self.inner[0](picture) if picture.shape[2] < FILE_LIMIT else picture


class Inner(nn.Module):
    def forward(self, picture: Tensor) -> Tensor:
        def inside(size: int) -> int:
            return int(size * 1.4) % 17

        return picture + inside(picture.shape[2])


def test_literals_attributes_file_constants_and_functions() -> None:
    numbers = code_numbers(Parts())
    assert {300**2, 222, 411, 12, 640, 48, 17} <= numbers.lengths
    assert 1.4 in numbers.factors


def test_functions_that_a_part_holds_are_read() -> None:
    part = Inner()
    part.choose = lambda picture: picture if picture.shape[2] > 555 else -picture
    part.other = partial(lambda limit, picture: picture.shape[2] > 666, 777)
    assert {555, 666} <= code_numbers(part).lengths


class Decorated(nn.Module):
    @torch.no_grad()
    def forward(self, picture: Tensor) -> Tensor:
        return picture if picture.shape[2] > 444 else -picture


def test_functions_inside_decorators_are_read() -> None:
    assert 444 in code_numbers(Decorated()).lengths


def test_a_class_made_by_exec_is_read_too() -> None:
    space: dict[str, type[nn.Module]] = {}
    source = (
        "from torch import nn\n"
        "class Made(nn.Module):\n"
        "    def forward(self, x):\n"
        "        return x if x.shape[2] < 123 else -x\n"
    )
    exec(source, space)
    assert 123 in code_numbers(space["Made"]()).lengths


def test_pytorchs_own_layers_say_nothing() -> None:
    numbers = code_numbers(nn.Sequential(nn.Conv2d(3, 64, 7, padding=3), nn.PixelShuffle(8)))
    assert not numbers.lengths

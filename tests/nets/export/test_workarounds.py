"""Each workaround does its work, and its test tells when it is no longer needed."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from subpixel.errors import ExportError, NetworkError
from subpixel.nets.export.attempt import Attempt
from subpixel.nets.export.export import export_attempt
from subpixel.nets.export.exporters import AXES
from subpixel.nets.export.workarounds import make_exportable, symbolic_int
from subpixel.nets.padding import Padded
from subpixel.nets.torch_op import TorchOp
from subpixel.runtime.session import Session
from subpixel.spec import ModelSpec

SPEC = ModelSpec("faulty", 1, "rgb", "rgb")
SIZES = ((8, 8), (51, 67), (33, 20))


def agree(module: nn.Module, attempt: Attempt) -> list[bool]:
    """Whether the file equals the module, at each of the batches and sizes."""
    session = Session(export_attempt(module, SPEC, attempt, 18).model.SerializeToString())
    counts = (1,) if attempt.free_batch is False else (1, 3)
    shapes = [(count, 3, *size) for count in counts for size in SIZES]
    return [_agrees(TorchOp(module), session, shape) for shape in shapes]


def _agrees(reference: TorchOp, session: Session, shape: tuple[int, ...]) -> bool:
    pixels = np.random.default_rng(0).random(shape, np.float32)
    try:
        expected, found = reference(pixels), session(pixels)
    except NetworkError:
        return False
    return expected.shape == found.shape and np.allclose(expected, found, atol=1e-5)


class Ceiling(nn.Module):
    """Pads to a multiple of eight and cuts again, as FBCNN does."""

    def forward(self, rgb: Tensor) -> Tensor:
        height, width = rgb.shape[2:]
        below = int(np.ceil(height / 8) * 8 - height)
        right = int(np.ceil(width / 8) * 8 - width)
        padded = nn.functional.pad(rgb, (0, right, 0, below), "replicate")
        mean = nn.functional.avg_pool2d(padded, 8)
        return nn.functional.interpolate(mean, scale_factor=8.0)[..., :height, :width]


class Windows(nn.Module):
    """Counts the pictures of a batch by its windows, as SwinIR and its many children do."""

    def forward(self, rgb: Tensor) -> Tensor:
        _, planes, height, width = rgb.shape
        rgb = nn.functional.pad(rgb, (0, -width % 8, 0, -height % 8), "replicate")
        batch, _, high, wide = rgb.shape
        windows = rgb.view(batch, planes, high // 8, 8, wide // 8, 8).permute(0, 2, 4, 3, 5, 1)
        windows = windows.reshape(-1, 64, planes).softmax(1)
        count = int(windows.shape[0] / (high * wide / 8 / 8))
        whole = windows.view(count, high // 8, wide // 8, 8, 8, -1).permute(0, 5, 1, 3, 2, 4)
        return whole.reshape(count, planes, high, wide)[..., :height, :width]


@pytest.mark.slow
@pytest.mark.parametrize("module", [Ceiling(), Windows()])
def test_whole_numbers_made_of_sizes_stay_open(module: nn.Module) -> None:
    assert all(agree(module, Attempt("dynamo", (2, 51, 67), symbolic=True)))
    # https://github.com/pytorch/pytorch/issues/138853: when this is right too, drop symbolic_int
    assert not all(agree(module, Attempt("dynamo", (1, 51, 67))))


class Squares(nn.Module):
    """Forgets the sides, halves them, and takes the root of the area, as Uformer does."""

    def forward(self, rgb: Tensor) -> Tensor:
        tokens = nn.functional.avg_pool2d(rgb, 2).flatten(2)
        side = int(math.sqrt(tokens.shape[2]))
        half = tokens.unflatten(2, (side, side))
        return nn.functional.interpolate(half, scale_factor=2.0)


@pytest.mark.slow
def test_the_sides_of_a_square_stay_open() -> None:
    attempt = Attempt("dynamo", (2, 24, 24), 8, symbolic=True)
    spec = replace(SPEC, square=True, size_multiple=8)
    exported = export_attempt(Squares(), spec, attempt, 18)
    session = Session(exported.model.SerializeToString())
    reference = TorchOp(Padded(Squares(), exported.spec))
    assert all(_agrees(reference, session, (2, 3, *size)) for size in SIZES)


def test_int_is_given_back() -> None:
    with symbolic_int(Ceiling()):
        shadow = globals()["int"]
        assert shadow("12", 3) == 5
        assert shadow(2.5) == 2
        assert isinstance(2, shadow)
        assert not isinstance(2.0, shadow)
        assert isinstance(2, shadow | str)
    assert "int" not in globals()
    assert type(math).__name__ == "module"


class Power(nn.Module):
    """Raises to a power that it has learnt, as HVI-CIDNet does."""

    def __init__(self) -> None:
        super().__init__()
        self.exponent = nn.Parameter(torch.tensor([0.4]))

    def forward(self, rgb: Tensor) -> Tensor:
        return rgb ** self.exponent.item() + rgb**2


class Sorting(nn.Module):
    def forward(self, rgb: Tensor) -> Tensor:
        down, _ = torch.sort(rgb, dim=-1, stable=True, descending=True)
        up, places = torch.sort((rgb * 4).round(), dim=2, stable=True)
        return down + up + torch.gather(rgb, 2, places)


@pytest.mark.slow
def test_a_stable_sort_is_translated() -> None:
    assert all(agree(Sorting(), Attempt("dynamo", (1, 51, 67))))


@pytest.mark.slow
def test_a_learnt_power_is_translated() -> None:
    assert all(agree(Power(), Attempt("dynamo", (2, 51, 67), symbolic=True)))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the exporter, about its own insides
@pytest.mark.parametrize("module", [Sorting(), Power()])
def test_a_translation_is_still_needed(module: nn.Module) -> None:
    """https://github.com/microsoft/onnxscript/pull/3053: when this fails, drop the translation."""
    with pytest.raises(torch.onnx.errors.OnnxExporterError):
        torch.onnx.export(
            module.eval(),
            (torch.rand(1, 3, 51, 67),),
            dynamo=True,
            dynamic_shapes=(AXES,),
            verbose=False,
        )


class MoELayer(nn.Module):
    """A mixture of experts that picks them from a list, but asks all while training."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2))
        self.experts = nn.ModuleList(nn.Conv2d(3, 3, 1) for _ in range(2))

    def forward(self, rgb: Tensor) -> Tensor:
        weights = self.gate(rgb).softmax(1)
        share, chosen = weights.topk(1)
        if not self.training:
            expert = self.experts[chosen.squeeze(0)]
            return rgb + expert(rgb) * share[:, :, None, None]
        shares = torch.zeros_like(weights).scatter(1, chosen, share)
        for index, expert in enumerate(self.experts):
            rgb = rgb + expert(rgb) * shares[:, index, None, None, None]
        return rgb


@pytest.mark.slow
def test_experts_picked_by_the_data_are_all_asked() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(MoELayer()).eval()
    assert all(agree(module, Attempt("dynamo", (1, 51, 67), free_batch=False)))
    assert not module[0].training, "the network itself is left as it was"
    assert make_exportable(nn.Sequential(MoELayer()).eval())[0].training


@pytest.mark.filterwarnings("ignore")  # of the exporter, about its own insides
def test_experts_still_can_not_be_picked() -> None:
    """When this fails, drop what exportable does to MoELayer."""
    with pytest.raises(torch.onnx.errors.OnnxExporterError):
        torch.onnx.export(
            MoELayer().eval(), (torch.rand(1, 3, 51, 67),), dynamo=True, verbose=False
        )


@pytest.mark.slow
def test_what_no_workaround_helps_is_said() -> None:
    class Complex(nn.Module):
        def forward(self, rgb: Tensor) -> Tensor:
            return torch.linalg.matrix_exp(rgb)

    with pytest.raises(ExportError, match="the exporter dynamo failed"):
        export_attempt(Complex(), SPEC, Attempt("dynamo", (1, 64, 64)), 18)

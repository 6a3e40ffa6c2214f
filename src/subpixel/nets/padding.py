"""A network for certain sizes, in PyTorch for pictures of any: what padded files are held to."""

from dataclasses import replace

from torch import Tensor, nn
from torch.nn.functional import pad

from subpixel.nets.torch_op import TorchOp
from subpixel.runtime.sizes import with_sizes
from subpixel.runtime.tiling import working_size
from subpixel.spec import ModelSpec


def with_working_sizes(module: nn.Module, spec: ModelSpec) -> ModelSpec:
    """``spec`` with the sizes that ``module`` turns out to need, found by running it."""
    return with_sizes(TorchOp(module), spec)


def runs_any_size(module: nn.Module, spec: ModelSpec) -> tuple[nn.Module, ModelSpec]:
    """``module`` as one for pictures of any size, padded where it needs it, and its facts."""
    spec = with_working_sizes(module, spec)
    if (spec.size_multiple, spec.size_minimum, spec.square) == (1, 1, False):
        return module, spec
    return Padded(module, spec), replace(spec, pads=True)


class Padded(nn.Module):
    """``(N, C, H, W)`` of any size → ``(N, C, H * scale, W * scale)``, by a network for certain.

    The picture is padded at its right and lower edge, as ``spec.padding`` says; of the result,
    what belongs to the padding is cut off.
    """

    def __init__(self, net: nn.Module, spec: ModelSpec) -> None:
        super().__init__()
        self.net = net
        self.spec = spec

    def forward(self, pixels: Tensor) -> Tensor:
        height, width = pixels.shape[-2:]
        spec = self.spec
        rows, columns = working_size(
            height, width, spec.size_multiple, spec.size_minimum, spec.square
        )
        if spec.padding == "reflect":
            mirrored = min(rows - height, height - 1), min(columns - width, width - 1)
            pixels = pad(pixels, (0, mirrored[1], 0, mirrored[0]), "reflect")
        rest = rows - pixels.shape[-2], columns - pixels.shape[-1]
        mode = "constant" if spec.padding == "zeros" else "replicate"
        result: Tensor = self.net(pad(pixels, (0, rest[1], 0, rest[0]), mode))
        return result[..., : height * spec.scale, : width * spec.scale]

"""A PyTorch network for pictures of any size: the reference for exported files."""

from dataclasses import replace

from torch import Tensor, nn
from torch.nn.functional import pad

from subpixel.nets.torch_op import TorchOp, is_torch_out_of_memory
from subpixel.runtime.sizes import with_sizes
from subpixel.spec import ModelSpec
from subpixel.system.users_code import users_code
from subpixel.upscaling.tiles.tiling import working_size


def with_working_sizes(module: nn.Module, spec: ModelSpec) -> ModelSpec:
    """``spec`` with the sizes that ``module`` needs, determined by running it."""
    return with_sizes(TorchOp(module), spec)


def runs_any_size(module: nn.Module, spec: ModelSpec) -> tuple[nn.Module, ModelSpec]:
    """``module`` for pictures of any size, padded where it doesn't support theirs, and its
    facts."""
    working = with_working_sizes(module, spec)
    if (working.size_multiple, working.size_minimum, working.square) == (1, 1, False):
        return module, working
    return AnySize(module, spec, working), replace(working, pads=True)


class AnySize(nn.Module):
    """``(N, C, H, W)`` of any size → ``(N, C, H * scale, W * scale)``, by a network for certain
    sizes.

    Where ``net`` supports the picture's size, the result is its own. The picture is padded, by
    ``working``, only where ``net`` fails (raises, or returns another size), and at sizes that
    ``declared`` excludes.
    """

    def __init__(self, net: nn.Module, declared: ModelSpec, working: ModelSpec) -> None:
        super().__init__()
        self.net = net
        self.padded = Padded(net, working)
        self.declared = declared

    def forward(self, pixels: Tensor) -> Tensor:
        result = self._run_untouched(pixels) if self._is_declared(pixels) else None
        padded: Tensor = self.padded(pixels) if result is None else result
        return padded

    def _is_declared(self, pixels: Tensor) -> bool:
        height, width = pixels.shape[-2:]
        spec = self.declared
        size = working_size(height, width, spec.size_multiple, spec.size_minimum, spec.square)
        return size == (height, width)

    def _run_untouched(self, pixels: Tensor) -> Tensor | None:
        scale = self.declared.scale
        try:
            # A copy: some networks modify their input in place, even when they then fail.
            with users_code():
                result: Tensor = self.net(pixels.clone())
        except Exception as error:  # its code may raise anything at sizes that it doesn't support
            if is_torch_out_of_memory(error):
                raise  # it does support the size
            return None
        expected = [side * scale for side in pixels.shape[-2:]]
        return result if list(result.shape[-2:]) == expected else None


class Padded(nn.Module):
    """``(N, C, H, W)`` of any size → ``(N, C, H * scale, W * scale)``, by a network for certain
    sizes.

    The picture is padded at its right and lower edge by ``spec.padding``, and the result is cropped
    accordingly.
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

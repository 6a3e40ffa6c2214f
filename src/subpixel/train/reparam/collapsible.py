"""Convolutions that are trained wide and run narrow: structural re-parameterisation.

Two convolutions with nothing in between are one, whose weights are their product. Training the
factors instead of the product changes its trajectory, for the better: the collapsible linear blocks
of Bhardwaj et al. (arXiv 2103.09404), descended from Ding et al. (arXiv 2101.03697). The product is
computed from the weights at each step, so training costs hardly more.
"""

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional

EXPANSION = 256
"""Channels between the two factors."""


class CollapsibleConv2d(nn.Conv2d):
    """A convolution of odd ``kernel``, same size out, with a wide pair of convolutions beside it.

    Its whole weight is ``weight`` plus the product of ``squeeze`` (1×1, ``EXPANSION`` → outputs)
    and ``expand`` (``kernel``, inputs → ``EXPANSION``). The product starts at zero, so training can
    continue from the weights of a plain convolution.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, expansion: int = EXPANSION) -> None:
        super().__init__(inputs, outputs, kernel, padding=kernel // 2)
        self.expand = nn.Parameter(torch.empty(expansion, inputs, kernel, kernel))
        self.squeeze = nn.Parameter(torch.zeros(outputs, expansion))
        nn.init.kaiming_normal_(self.expand, mode="fan_in")

    def collapse_weight(self) -> Tensor:
        """The equivalent single weight, ``(outputs, inputs, kernel, kernel)``, float32."""
        with torch.autocast(self.weight.device.type, enabled=False):
            return self.weight + torch.einsum("oe,eikl->oikl", self.squeeze, self.expand)

    def forward(self, features: Tensor) -> Tensor:
        return functional.conv2d(features, self.collapse_weight(), self.bias, padding=self.padding)

    @classmethod
    def of(cls, convolution: nn.Conv2d) -> "CollapsibleConv2d":
        """An equivalent of ``convolution`` that shares its weights."""
        outputs, inputs, kernel, _ = convolution.weight.shape
        wide = cls(inputs, outputs, kernel)
        wide.weight, wide.bias = convolution.weight, convolution.bias
        return wide

    def plain(self) -> nn.Conv2d:
        """An equivalent plain convolution."""
        kernel = self.kernel_size[0]
        with torch.device("meta"):
            narrow = nn.Conv2d(self.in_channels, self.out_channels, kernel, padding=kernel // 2)
        assert self.bias is not None
        weights = {"weight": self.collapse_weight().detach(), "bias": self.bias.detach()}
        narrow.load_state_dict(weights, assign=True)
        return narrow


def widen_convolutions(
    module: nn.Module, block: type[CollapsibleConv2d] = CollapsibleConv2d
) -> nn.Module:
    """Replace every convolution in ``module`` by a ``block`` that shares its weights."""
    for name, child in list(module.named_modules()):
        if isinstance(child, nn.Conv2d):
            module.set_submodule(name, block.of(child))
    return module


def collapse_convolutions(module: nn.Module) -> nn.Module:
    """A copy of ``module`` with plain convolutions in place of collapsible ones."""
    module = copy.deepcopy(module)
    for name, child in list(module.named_modules()):
        if isinstance(child, CollapsibleConv2d):
            module.set_submodule(name, child.plain())
    return module


def collapse_state(module: nn.Module) -> dict[str, Tensor]:
    """The state dict of :func:`collapse_convolutions`'s result, without building that."""
    wide = {n: m for n, m in module.named_modules() if isinstance(m, CollapsibleConv2d)}
    factors = {
        f"{name}.{factor}"
        for name, layer in wide.items()
        for factor, _ in layer.named_parameters(recurse=False)
        if factor not in ("weight", "bias")
    }
    state = {key: value for key, value in module.state_dict().items() if key not in factors}
    return state | {
        f"{name}.weight": layer.collapse_weight().detach() for name, layer in wide.items()
    }

"""The tutorial's network as it is trained: it learns what luma lacks, and passes luma on.

Residual learning (Kim et al., arXiv 1511.04587) needs a sum that the tutorial's network doesn't
have. But luma is never below zero, no ReLU changes it: one channel of each layer can carry it to
the last, which then has it to add to. So what was trained with a sum runs without one.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from subpixel.errors import CheckpointError
from subpixel.nets.superresolution import SuperResolutionNet


class PassingNet(nn.Module):
    """A SuperResolutionNet whose layers' first channels carry luma, which no training changes.

    ``(N, 1, H, W)`` luma in 0 … 1 → ``(N, 1, H * r, W * r)``, r = ``upscale_factor``; below 0 it
    computes something else than :meth:`folded`.
    """

    def __init__(self, upscale_factor: int) -> None:
        super().__init__()
        self.upscale_factor = upscale_factor
        self.conv1 = nn.Conv2d(1, 63, kernel_size=5, padding=2)
        self.conv2 = nn.Conv2d(63, 63, kernel_size=3, padding=1)
        self.conv3 = nn.Conv2d(63, 31, kernel_size=3, padding=1)
        self.conv4 = nn.Conv2d(32, upscale_factor**2, kernel_size=3, padding=1)
        self._initialise()

    def forward(self, luma: Tensor) -> Tensor:
        features = functional.relu(self.conv1(luma))
        features = functional.relu(self.conv2(features))
        features = functional.relu(self.conv3(features))
        lacking = self.conv4(torch.cat([luma, features], dim=1))
        return functional.pixel_shuffle(lacking + luma, self.upscale_factor)

    def folded(self) -> SuperResolutionNet:
        """The network that computes the same."""
        net = SuperResolutionNet(self.upscale_factor)
        with torch.no_grad():
            _carry(self.conv1, net.conv1, inputs=0)
            _carry(self.conv2, net.conv2, inputs=1)
            _carry(self.conv3, net.conv3, inputs=1)
            net.conv4.load_state_dict(self.conv4.state_dict())
            net.conv4.weight[:, 0, 1, 1] += 1
        return net

    @classmethod
    def of(cls, net: SuperResolutionNet) -> "PassingNet":
        """The network that was :meth:`folded`; raises :class:`CheckpointError` for any other."""
        passing = cls(net.upscale_factor)
        with torch.no_grad():
            _uncarry(net.conv1, passing.conv1, inputs=0)
            _uncarry(net.conv2, passing.conv2, inputs=1)
            _uncarry(net.conv3, passing.conv3, inputs=1)
            passing.conv4.load_state_dict(net.conv4.state_dict())
            passing.conv4.weight[:, 0, 1, 1] -= 1
        folded = passing.folded()
        pairs = zip(folded.parameters(), net.parameters(), strict=True)
        if not all(torch.allclose(*pair) for pair in pairs):
            raise CheckpointError(
                "this SuperResolutionNet's first channels don't carry luma, as those of networks "
                "do that subpixel trained; begin without a warm start"
            )
        return passing

    def _initialise(self) -> None:
        """As in PlainNet: layers near the identity, and a small last one."""
        with torch.no_grad():
            for convolution in (self.conv1, self.conv2, self.conv3, self.conv4):
                nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
                nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]
            for convolution in (self.conv2, self.conv3):
                convolution.weight.mul_(0.3).add_(nn.init.dirac_(convolution.weight.clone()))
            self.conv4.weight.mul_(0.1)


def _carry(own: nn.Conv2d, whole: nn.Conv2d, inputs: int) -> None:
    """``own``'s filters become all but the first of ``whole``, behind so many ``inputs`` that carry
    luma; the first filter passes luma on."""
    middle = whole.kernel_size[0] // 2
    for parameter in whole.parameters():
        parameter.zero_()
    whole.weight[0, 0, middle, middle] = 1
    whole.weight[1:, inputs:] = own.weight
    _biases(whole)[1:] = _biases(own)


def _uncarry(whole: nn.Conv2d, own: nn.Conv2d, inputs: int) -> None:
    own.weight.copy_(whole.weight[1:, inputs:])
    _biases(own).copy_(_biases(whole)[1:])


def _biases(convolution: nn.Conv2d) -> Tensor:
    assert convolution.bias is not None
    return convolution.bias

"""Conversion of RGB to the network's channel order in front of it, and of its result back to
RGB."""

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx.helper import make_attribute

from subpixel.convention import ChannelOrder
from subpixel.graph.adopt.frame import Chain, Step, frame_model
from subpixel.imaging.colour import CHROMA_TO_RGB, LUMA_WEIGHTS, RGB_TO_CHROMA

CHROMA_CENTRE = np.array([0.0, 0.5, 0.5])

TO_YCBCR: NDArray[np.float64] = np.vstack([LUMA_WEIGHTS, RGB_TO_CHROMA])
"""``(3, 3)``: Y, and Cb and Cr without their centre, of R, G and B."""

FROM_YCBCR: NDArray[np.float64] = np.hstack([np.ones((3, 1)), CHROMA_TO_RGB])


def with_rgb(
    model: onnx.ModelProto, input_order: ChannelOrder, output_order: ChannelOrder
) -> onnx.ModelProto:
    """A copy of ``model``, float32 NCHW in 0 … 1, whose input and output are RGB."""
    return frame_model(model, "order", _FROM_RGB[input_order], _TO_RGB[output_order])


def _swap(chain: Chain) -> None:
    chain.add("Gather", chain.constant(np.array([2, 1, 0])), attributes=[make_attribute("axis", 1)])


def _to_ycbcr(chain: Chain) -> None:
    _mix_channels(chain, TO_YCBCR, CHROMA_CENTRE)


def _from_ycbcr(chain: Chain) -> None:
    _mix_channels(chain, FROM_YCBCR, -FROM_YCBCR @ CHROMA_CENTRE)


def _mix_channels(chain: Chain, matrix: NDArray[np.float64], offset: NDArray[np.float64]) -> None:
    """Every pixel's channels times ``matrix``, plus ``offset``: a convolution of 1×1."""
    weights = chain.constant(matrix.reshape(3, 3, 1, 1).astype(np.float32))
    attributes = [make_attribute("kernel_shape", [1, 1]), make_attribute("dilations", [1, 1])]
    chain.add("Conv", weights, chain.constant(offset.astype(np.float32)), attributes=attributes)


_FROM_RGB: dict[ChannelOrder, Step | None] = {"rgb": None, "bgr": _swap, "ycbcr": _to_ycbcr}
_TO_RGB: dict[ChannelOrder, Step | None] = {"rgb": None, "bgr": _swap, "ycbcr": _from_ycbcr}

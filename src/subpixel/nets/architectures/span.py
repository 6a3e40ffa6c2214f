"""SPAN with one convolution per layer, the form in which it runs.

SPAN (Wan et al., arXiv 2311.12770) is trained with three convolutions and a skip in every layer
(Conv3XC), which are equivalent to one 3×3 convolution. spandrel's module recomputes that
convolution at every run and assigns it to a parameter's ``.data``, which no exporter supports: the
dynamo exporter crashes the process. Here it is computed once. Submissions to the NTIRE challenges
contain only the result, under the keys ``….eval_conv``.
"""

from torch import nn

from subpixel.nets.architectures.architecture import (
    Architecture,
    Checkpoint,
    colour_of_channels,
    fill_module,
    find_layers,
    make_layout,
    sub_pixel_scale,
)
from subpixel.nets.checkpoints.state_dict import Weights
from subpixel.nets.spandrel.module import SpandrelModule, building, import_spandrel, plain_call
from subpixel.nets.spandrel.settings import settings_of
from subpixel.spec import ModelSpec


def fold_conv3xc(module: nn.Module) -> None:
    """Replace every Conv3XC inside ``module`` by the equivalent convolution.

    Its weights are those that the layer computes at every run in eval mode.
    """
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if type(child).__name__ == "Conv3XC":
                setattr(parent, name, _fold_layer(child))


def _fold_layer(layer: nn.Module) -> nn.Module:
    layer.update_params()  # type: ignore[operator]  # a method of Conv3XC
    convolution = layer.eval_conv
    assert isinstance(convolution, nn.Conv2d)
    return nn.Sequential(convolution, nn.LeakyReLU(0.05)) if layer.has_relu else convolution


_BLOCKS = [f"block_{block}.c{i}_r.eval_conv" for block in range(1, 7) for i in (1, 2, 3)]
_LAYERS = ("conv_1.eval_conv", *_BLOCKS, "conv_cat", "conv_2.eval_conv", "upsampler.0")

SPAN_LAYOUTS = (make_layout(*_LAYERS),)


def _load_span(weights: Weights, scale: int | None) -> Checkpoint:  # noqa: ARG001 - the file says it
    """The folded network, with spandrel's normalisation of SPAN's input.

    The mean colour of DIV2K is subtracted in a range of 0 … 255, unless the weights have the key
    ``no_norm``.
    """
    span = import_spandrel("spandrel.architectures.SPAN")
    layers = find_layers(weights, SPAN_LAYOUTS)
    first, last = layers[0], layers[-1]
    enlargement = sub_pixel_scale(last, first.inputs)
    with building(weights):
        net = span.SPAN(
            num_in_ch=first.inputs,
            num_out_ch=first.inputs,
            feature_channels=first.outputs,
            upscale=enlargement,
        )
        fold_conv3xc(net)
    fill_module(net, {key: value for key, value in weights.items() if key != "no_norm"}, layers)
    if "no_norm" in weights:
        net.no_norm = weights["no_norm"]
    colour = colour_of_channels(first.inputs)
    module = SpandrelModule(net, plain_call).eval()
    spec = ModelSpec("SPAN", enlargement, colour, colour, "SPAN")
    return Checkpoint(module, spec, settings=settings_of("SPAN", module))


FOLDED_SPAN = Architecture("SPAN", tuple(layout.signature for layout in SPAN_LAYOUTS), _load_span)
"""SPAN after folding; spandrel recognises it before folding."""

"""Weight norm and spectral norm folded into the weights that a network uses in eval mode.

Weight norm: Salimans and Kingma, arXiv 1602.07868. Spectral norm: Miyato et al., arXiv 1802.05957.
Both are stored in two forms: by PyTorch's old hooks and by its parametrizations.
"""

import torch
from torch import Tensor

from subpixel.errors import CheckpointError
from subpixel.nets.checkpoints.keys import Tensors

WEIGHT_NORM = (
    ("{}_g", "{}_v"),
    ("parametrizations.{}.original0", "parametrizations.{}.original1"),
)
"""The keys of a weight's length and direction."""

SPECTRAL_NORM = (
    ("{}_orig", "{}_u", "{}_v"),
    (
        "parametrizations.{}.original",
        "parametrizations.{}.0._u",
        "parametrizations.{}.0._v",
    ),
)
"""The keys of a weight and of the two singular vectors of its largest singular value."""

NAME = "weight"


def fuse_norms(weights: Tensors) -> Tensors:
    """The weights, with normalised ones replaced by their values.

    Uses the last state of the power iteration, as eval mode does.
    """
    fused = dict(weights)
    for length, direction in WEIGHT_NORM:
        for layer in _layers(fused, direction):
            if _key(layer, length) in fused:
                g, v = fused.pop(_key(layer, length)), fused.pop(_key(layer, direction))
                fused[_key(layer, "{}")] = _apply_weight_norm(g, v)
    for original, left, right in SPECTRAL_NORM:
        for layer in _layers(fused, original):
            if _key(layer, left) in fused and _key(layer, right) in fused:
                w, u, v = (fused.pop(_key(layer, part)) for part in (original, left, right))
                fused[_key(layer, "{}")] = _apply_spectral_norm(w, u, v)
    return fused


def _key(layer: str, form: str) -> str:
    return layer + form.format(NAME)


def _layers(weights: Tensors, form: str) -> list[str]:
    """The prefixes of the keys that end in ``form``, including the dot."""
    end = form.format(NAME)
    return [key.removesuffix(end) for key in weights if f".{key}".endswith(f".{end}")]


def _apply_weight_norm(length: Tensor, direction: Tensor) -> Tensor:
    """``g`` · ``v`` / ‖``v``‖, the norm over all axes along which ``g`` has length 1."""
    axes = [axis for axis, size in enumerate(length.shape) if size == 1] or None
    norm: Tensor = torch.linalg.vector_norm(direction, dim=axes, keepdim=length.ndim > 0)
    return length * direction / norm


def _apply_spectral_norm(weight: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """The weight over its largest singular value uᵀWv, W its matrix of outputs by the rest.

    Outputs are along the first axis, for transposed convolutions along the second: where both fit
    the vectors' lengths, the last step of the power iteration, u = Wv / ‖Wv‖, distinguishes them.
    """
    matrices = [weight.flatten(1)]
    if weight.ndim > 1:
        matrices.append(weight.transpose(0, 1).flatten(1))
    fitting = [m for m in matrices if m.shape == (len(left), len(right))]
    if not fitting:
        raise CheckpointError(
            f"holds a spectral norm whose vectors, of {len(left)} and {len(right)} numbers, don't "
            f"fit their weight of the shape {tuple(weight.shape)}"
        )
    matrix = min(fitting, key=lambda m: _inconsistency(m, left, right))
    return weight / torch.dot(left, matrix @ right)


def _inconsistency(matrix: Tensor, left: Tensor, right: Tensor) -> float:
    image = matrix @ right
    return float((image / torch.linalg.vector_norm(image) - left).abs().max())

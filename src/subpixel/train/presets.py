"""Recipes by name: the network's size and the numbers of its training."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Preset:
    """One recipe. Sizes are in low-resolution pixels, lengths in steps."""

    channels: int
    depth: int
    steps: int
    """Steps with the L1 loss in mixed precision, before ``finetune`` steps with L2 in float32."""
    finetune: int
    batch: int = 32
    crop: int = 32
    rate: float = 2e-3
    """Adam's learning rate at the start; it falls to zero along half a cosine."""
    averaging: float = 0.999
    """Decay of the weights' exponential moving average, which is what gets exported."""


PRESETS = {
    "compact": Preset(channels=16, depth=9, steps=50_000, finetune=2_500),
    "smoke": Preset(channels=8, depth=1, steps=20, finetune=5, batch=4, crop=16),
}

"""Training presets by name: the network, and its hyperparameters."""

from dataclasses import dataclass
from typing import Literal

PresetNetwork = Literal["plain", "reference"]


@dataclass(frozen=True)
class Preset:
    """One recipe. Sizes are in low-resolution pixels, lengths in steps."""

    network: PresetNetwork
    """PlainNet, or the tutorial's SuperResolutionNet, whose size is fixed."""
    steps: int
    """Steps with the L1 loss, in bfloat16 where that is faster; then come ``finetune`` steps with
    L2 in float32."""
    finetune: int
    channels: int = 16
    depth: int = 4
    batch: int = 32
    crop: int = 32
    rate: float = 1e-3
    """Adam's learning rate at the start; it falls to zero along half a cosine."""
    averaging: float = 0.999
    """Decay of the exponential moving average of the weights, which is exported."""


PRESETS = {
    "fast": Preset("plain", steps=60_000, finetune=6_000, channels=16, depth=4),
    "espcn": Preset("reference", steps=20_000, finetune=1_000, batch=16),
    "balanced": Preset(
        "plain", steps=33_000, finetune=3_000, channels=32, depth=11, batch=16, crop=48
    ),
    "best": Preset("plain", steps=33_000, finetune=3_000, channels=48, depth=16, batch=16, crop=48),
    "smoke": Preset("plain", steps=20, finetune=5, channels=8, depth=1, batch=4, crop=16),
}

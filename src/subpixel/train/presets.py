"""Training presets by name: the network, and its hyperparameters."""

from dataclasses import dataclass, replace
from typing import Literal

PresetNetwork = Literal["plain", "reference"]
BlockKind = Literal["collapsible", "edge", "plain"]
LossName = Literal["l1", "l2", "charbonnier", "l1+fourier", "l1+haar"]


@dataclass(frozen=True)
class Preset:
    """One recipe. Sizes are in low-resolution pixels, lengths in steps."""

    network: PresetNetwork
    """PlainNet, or the tutorial's SuperResolutionNet, whose size is fixed."""
    steps: int
    """Steps with ``loss``, in bfloat16 where that is faster; then come ``finetune`` steps with L2
    in float32."""
    finetune: int
    channels: int = 16
    depth: int = 4
    batch: int = 32
    crop: int = 32
    rate: float = 1e-3
    """Adam's learning rate at the start; it falls to zero along half a cosine."""
    averaging: float = 0.999
    """Decay of the exponential moving average of the weights, which is exported; 0 exports the
    weights themselves."""
    flat_share: float = 0.0
    """How much of each batch is flat, so that flat areas stay flat up to the picture's edge."""
    late_crop: int | None = None
    """The crops' size in the last third, in batches of about as many pixels; None: ``crop``."""
    loss: LossName = "l1"
    block: BlockKind = "collapsible"
    """The form in which convolutions are trained."""

    @property
    def length(self) -> int:
        """All steps."""
        return self.steps + self.finetune

    @property
    def max_crop(self) -> int:
        return max(self.crop, self.late_crop or 0)


FLAT_SHARE = 1 / 16

PRESETS = {
    "fast": Preset(
        "plain", steps=60_000, finetune=6_000, channels=16, depth=4, flat_share=FLAT_SHARE
    ),
    "espcn": Preset("reference", steps=20_000, finetune=1_000, batch=16, flat_share=FLAT_SHARE),
    "balanced": Preset(
        "plain",
        steps=33_000,
        finetune=3_000,
        channels=32,
        depth=11,
        batch=16,
        crop=48,
        flat_share=FLAT_SHARE,
    ),
    "best": Preset(
        "plain",
        steps=33_000,
        finetune=3_000,
        channels=48,
        depth=16,
        batch=16,
        crop=48,
        flat_share=FLAT_SHARE,
    ),
    "smoke": Preset("plain", steps=20, finetune=5, channels=8, depth=1, batch=4, crop=16),
}


def name_preset(preset: Preset) -> str | None:
    """Which of :data:`PRESETS` it is, of whatever length; None where it is none of them."""
    for name, own in PRESETS.items():
        if replace(own, steps=preset.steps, finetune=preset.finetune) == preset:
            return name
    return None

"""BRISQUE: how natural a picture looks, without a ground truth.

Mittal et al., "No-Reference Image Quality Assessment in the Spatial Domain" (IEEE TIP 2012), by
piq, which has the authors' regression, fitted to people's ratings of photographs that were blurred,
made noisy or compressed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from subpixel.errors import ProviderError, UsageError, one_line
from subpixel.nets.metric_weights import MetricWeights, ensure_weights, to_tensor
from subpixel.nets.spandrel.torchvision_schemas import ensure_torchvision

WEIGHTS_URL = (
    "https://github.com/photosynthesis-team/piq/releases/download/v0.4.0/brisque_svm_weights.pt"
)
MIN_BRISQUE_SIDE = 16
"""So that the halved picture has a window of statistics."""


@dataclass(frozen=True, eq=False)
class Brisque:
    """About 0 for what looks like an undamaged photograph, to 100 and beyond."""

    formula: Callable[[Tensor], Tensor]
    """Takes ``(1, 3, H, W)`` in 0 … 1."""

    def __call__(self, picture: NDArray[np.uint8], /) -> float:
        """Of ``(H, W, 3)`` RGB. Raises :class:`UsageError` where a side is below 16 pixels, and
        for a picture with too little contrast to have statistics."""
        if min(picture.shape[:2]) < MIN_BRISQUE_SIDE:
            raise UsageError(
                f"a picture measures {picture.shape[0]}×{picture.shape[1]} without its border; "
                f"BRISQUE takes {MIN_BRISQUE_SIDE} pixels and more: leave it out"
            )
        try:
            with torch.no_grad():
                return float(self.formula(to_tensor(picture)))
        except AssertionError as error:  # so piq says what it can't take
            raise UsageError(
                f"a picture has no BRISQUE ({one_line(error)}): it needs contrast; leave it out"
            ) from error


def load_brisque(tell: Callable[[str], None] = lambda line: None) -> Brisque:
    """BRISQUE on the CPU.

    The regression's weights are loaded from PyTorch's cache, ``torch.hub.get_dir()``;
    where missing they are downloaded from piq's repository, announced by ``tell``. Raises
    :class:`ProviderError` where they can't be downloaded or are no tensors, and
    :class:`ModuleNotFoundError` without piq.
    """
    ensure_torchvision()
    formula: Callable[[Tensor], Tensor] = import_module("piq").brisque
    weights = MetricWeights(WEIGHTS_URL)
    ensure_weights("BRISQUE", [weights], tell)
    _expect_tensors(weights.file)
    return Brisque(formula)


def _expect_tensors(file: Path) -> None:
    """piq unpickles the file without limits, so that it may hold nothing but tensors."""
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
        whole = len(content) == 2 and all(isinstance(part, Tensor) for part in content)
    except Exception:  # the unpickler raises almost anything for damaged data
        whole = False
    if not whole:
        raise ProviderError(
            f"{file} is damaged: it doesn't hold the two tensors of BRISQUE's regression; "
            "delete it, and it will be fetched again"
        )

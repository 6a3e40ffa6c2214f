"""The weights of metrics, in PyTorch's cache: fetched once, and said."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlparse

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from subpixel.errors import ProviderError, one_line


@dataclass(frozen=True)
class MetricWeights:
    """A file of weights."""

    url: str
    digits: str | None = None
    """The first of its SHA-256, where they are known: what is fetched must have them."""

    @property
    def file(self) -> Path:
        """Where it lies in PyTorch's cache, ``torch.hub.get_dir()``, or will."""
        return Path(torch.hub.get_dir(), "checkpoints", Path(urlparse(self.url).path).name)


def ensure_weights(
    metrics: str, weights: Sequence[MetricWeights], tell: Callable[[str], None]
) -> None:
    """Fetch those of ``weights`` that the cache lacks, each announced by ``tell``.

    Raises :class:`ProviderError`, which names the ``metrics``, where they can't be fetched.
    """
    try:
        for one in _list_missing(weights):
            _fetch(one, tell)
    except (OSError, RuntimeError, HTTPException) as error:
        raise ProviderError(_explain_missing(metrics, weights, error)) from error


def to_tensor(picture: NDArray[np.uint8]) -> Tensor:
    """``(H, W, 3)`` of uint8 as ``(1, 3, H, W)`` float32 in 0 … 1."""
    return torch.from_numpy(np.moveaxis(picture, -1, 0)[None].astype(np.float32) / 255)


def _list_missing(weights: Sequence[MetricWeights]) -> list[MetricWeights]:
    return [one for one in weights if not one.file.is_file()]


def _fetch(weights: MetricWeights, tell: Callable[[str], None]) -> None:
    """Not by the libraries, which announce downloads on stdout, among a command's output."""
    file = weights.file
    tell(f"fetching {weights.url} to {file}")
    file.parent.mkdir(parents=True, exist_ok=True)
    torch.hub.download_url_to_file(weights.url, str(file), weights.digits, sys.stderr.isatty())


def _explain_missing(metrics: str, weights: Sequence[MetricWeights], error: Exception) -> str:
    missing = _list_missing(weights)
    return (
        f"the weights of {metrics} are not there and can't be fetched: "
        f"{' and '.join(str(one.file) for one in missing)} ({one_line(error)}). Fetch "
        f"{' and '.join(one.url for one in missing)} elsewhere and put them there, or set "
        "TORCH_HOME to a folder that has them in hub/checkpoints/"
    )

"""Checkpoints in every container that is read: PyTorch's two, safetensors, NPZ, an index."""

import io
import json

import numpy as np
import safetensors.torch
import torch
from tests.robustness.seeds.seed import Seed

from subpixel.nets.architectures.espcn import ESPCN
from subpixel.nets.architectures.plain import PlainNet


def checkpoint_seeds() -> tuple[Seed, ...]:
    """Weights of a network of a few hundred numbers, as trainers store them."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        weights = PlainNet(2, channels=4, depth=1).state_dict()
        others = ESPCN(2, wide=4, narrow=4).state_dict()
    wrapped = {"params_ema": weights, "params": weights, "iter": 7, "lr": 1e-3}
    arrays = io.BytesIO()
    np.savez(arrays, **{key: value.numpy() for key, value in weights.items()})
    index = {
        "metadata": {"total_size": 1},
        "weight_map": dict.fromkeys(weights, "part.safetensors"),
    }
    tensors = safetensors.torch.save(dict(weights), {"licence": "MIT", "steps": "3"})
    files = {
        "plain.pth": _save(weights),
        "wrapped.pth": _save(wrapped),
        "espcn.pth": _save(others),
        "legacy.pkl": _save(weights, zipped=False),
        "halves.pth": _save({key: value.half() for key, value in weights.items()}),
        "plain.safetensors": tensors,
        "plain.npz": arrays.getvalue(),
        "plain.index.json": json.dumps(index).encode(),
    }
    return tuple(Seed(name, data) for name, data in files.items())


def _save(content: object, *, zipped: bool = True) -> bytes:
    stream = io.BytesIO()
    torch.save(content, stream, _use_new_zipfile_serialization=zipped)
    return stream.getvalue()

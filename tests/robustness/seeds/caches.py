"""JSON that is read: what `tune` stored, the gallery's catalogue and its entries."""

import json
from dataclasses import asdict
from pathlib import Path

from tests.robustness.seeds.seed import Seed

from subpixel.network.locate import locate
from subpixel.network.settings import RunSettings
from subpixel.network.tuning import TunedSettings, Tuning
from subpixel.system.files.hashing import hash_file


def cache_seeds() -> tuple[Seed, ...]:
    """By what reads them: ``tuning``, ``catalogue``, ``entry``."""
    files = {"tuning": _tuning(), "catalogue": _catalogue(), "entry": _entry()}
    return tuple(
        Seed(f"{name}.json", json.dumps(v, default=str).encode()) for name, v in files.items()
    )


def _tuning() -> dict[str, object]:
    file = locate("fast", 2)
    settings = RunSettings("cpu", "fp32", 256, 1, 1, adaptive=False, cuda_graphs=False)
    row = TunedSettings(settings, file, hash_file(file), 1.5, 0.2, 0.01, 99.0)
    return asdict(Tuning(50.0, row, (row, row)))


def _catalogue() -> dict[str, object]:
    resource = {
        "platform": "pytorch", "type": "safetensors", "size": 1000, "sha256": "ab" * 32,
        "urls": ["https://example.org/a.safetensors"],
    }  # fmt: skip
    model = {
        "name": "A name", "author": ["somebody"], "license": "CC0-1.0", "tags": ["photo"],
        "description": "A description", "architecture": "esrgan", "scale": 4, "size": ["64nf"],
        "inputChannels": 3, "outputChannels": 3, "date": "2024-01-01", "resources": [resource],
        "images": [],
    }  # fmt: skip
    return {"4x-a": model, "2x-b": {**model, "scale": 2}}


def _entry() -> dict[str, object]:
    return {
        "format": 1, "id": "4x-a", "name": "A name", "authors": ["somebody"], "licence": "CC0-1.0",
        "accepted": [], "tags": ["photo"], "description": "A description",
        "architecture": "esrgan", "scale": 4, "catalogue": "https://example.org", "source": "a",
        "weights_type": "pth", "weights_sha256": "ab" * 32, "sha256": str(Path("cd")) * 32,
        "size": 1000, "date": "2024-01-01", "report": {"psnr": 99.0, "cases": [1, 2]},
    }  # fmt: skip

"""The bundled integer networks give the same bits on every processor and with every thread count.

They add 8-bit products in 32 bits, in which no sum overflows and no order matters; and no two
neighbouring products leave 16 bits, in which AVX2 adds them (`subpixel.graph.int8.grid`).
"""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import masks
from subpixel.upscaling.upscaler import Upscaler
from subpixel.zoo.manifest import BundledNetwork, read_manifest

NETWORKS = [row for row in read_manifest() if row.name.endswith("-int8")]
SHA256 = json.loads((Path(__file__).parent / "sha256.json").read_text(encoding="utf-8"))


def picture() -> np.ndarray:
    """``(61, 83, 3)`` of 8 bits from integers alone: waves that grow finer, noise, an even part."""
    y, x, channel = np.mgrid[:61, :83, :3]
    waves = (x * x + 3 * y * y + x * y * (channel + 1)) // 16 % 256
    noise = (x * 7919 + y * 104729 + channel * 1299709) * 2654435761 % 2**32 >> 24
    even = np.array([250, 128, 3])[channel]
    return np.where(x < 40, waves, np.where(y < 30, noise, even)).astype(np.uint8)


def sha256(row: BundledNetwork, threads: int) -> str:
    result = Upscaler(row.path, device="cpu", threads=threads)(picture())
    return hashlib.sha256(result.tobytes()).hexdigest()


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("row", NETWORKS, ids=lambda row: Path(row.file).stem)
def test_the_bits_are_the_reference_s(row: BundledNetwork, threads: int) -> None:
    assert sha256(row, threads) == SHA256[Path(row.file).stem]


def test_every_integer_network_has_its_sha256() -> None:
    assert {Path(row.file).stem for row in NETWORKS} == set(SHA256)


@pytest.mark.sample(every=11)
@pytest.mark.parametrize("name", masks.MASKS)
def test_on_older_processors_too(name: str, tmp_path: Path) -> None:
    if reason := masks.lack(name) or masks.cpuid_lack() or _masked():
        pytest.skip(reason)
    environment = os.environ | masks.cpuid_variables(name, tmp_path)
    command = [sys.executable, __file__]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert set(report["vectors"]) == masks.MASKS[name].vectors, "the mask took effect"
    assert (report["1"], report["2"]) == (SHA256, SHA256)


def _masked() -> str | None:
    return "this run sees an older processor already" if "OLDER_X86" in os.environ else None


def vectors() -> list[str]:
    """The vector instructions that NumPy finds in the processor."""
    features = np._core._multiarray_umath.__cpu_features__  # as `np.show_runtime` reads them
    return [name for name in masks.VECTORS if features[name]]


if __name__ == "__main__":
    report = {t: {Path(row.file).stem: sha256(row, t) for row in NETWORKS} for t in (1, 2)}
    sys.stdout.write(json.dumps(report | {"vectors": vectors()}, indent=1) + "\n")

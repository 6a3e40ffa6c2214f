"""Train `balanced` ×3, ×2 and ×4 in a quarter of an hour of a GPU that takes only small uploads.

    python scripts/train_bundled.py pack --photos FOLDER --pack build/luma.npz
    python scripts/train_bundled.py train --pack build/luma.npz --out build/trained --device cuda

The first command, on a machine with the photographs, packs their luma into one file of at most
--max-mib. The second needs PyTorch, NumPy and safetensors, and this repository: no libvips, no ONNX
Runtime, no network. ×3 has half of --seconds, then ×2 and ×4, which begin with its weights, a
quarter each. What is in --out when it is called again is not done again. There it leaves
`balanced-xSCALE.safetensors`, which go to `weights/` for scripts/bundle.py, and
`balanced-xSCALE.csv`, their courses.
"""

import argparse
import csv
import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from subpixel.imaging.resample import imresize
from subpixel.nets.architectures.plain import PlainNet
from subpixel.train.data.device.device_crops import DeviceCrops
from subpixel.train.data.device.packing import LumaPack, Plane, read_pack, write_pack
from subpixel.train.data.source import Pair
from subpixel.train.loop import Progress, TrainedNetwork, train
from subpixel.train.presets import PRESETS, Preset

SHARES = {3: 0.5, 2: 0.25, 4: 0.25}
"""Of the time, by scale, in the order of training."""
SHRINKS = (Fraction(1), Fraction(3, 4), Fraction(1, 2))
GPU = replace(PRESETS["balanced"], batch=64, crop=48, late_crop=96)
"""A GPU does four times the batch in hardly more time."""
WARM_RATE = 0.5
"""What begins with trained weights begins at half the rate."""
MIB = 1 << 20


@dataclass(frozen=True)
class Order:
    """One session."""

    pack: LumaPack
    out: Path
    preset: Preset
    device: str
    seconds: float
    scales: Sequence[int] = tuple(SHARES)


def main() -> int:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    verbs = options.add_subparsers(required=True, dest="verb")
    packing = verbs.add_parser("pack", help="pack the photographs' luma")
    packing.add_argument("--photos", type=Path, required=True)
    packing.add_argument("--pack", type=Path, required=True)
    packing.add_argument("--max-mib", type=float, default=44.0)
    training = verbs.add_parser("train", help="train the three networks")
    training.add_argument("--pack", type=Path, required=True)
    training.add_argument("--out", type=Path, required=True)
    training.add_argument("--device", default="cuda")
    training.add_argument("--seconds", type=float, default=500.0, help="for all three")
    training.add_argument("--preset", choices=["gpu", *PRESETS], default="gpu")
    given = options.parse_args()
    if given.verb == "pack":
        return pack(given.photos, given.pack, given.max_mib)
    preset = GPU if given.preset == "gpu" else PRESETS[given.preset]
    started = time.monotonic()
    order = Order(read_pack(given.pack), given.out, preset, given.device, given.seconds)
    print(f"unpacked in {time.monotonic() - started:.1f} s", flush=True)
    train_all(order)
    return 0


def pack(photos: Path, file: Path, max_mib: float) -> int:
    # needs libvips, which the machine that trains hasn't
    from subpixel.train.data.device.luma_planes import pack_folder

    content = pack_folder(photos, int(max_mib * MIB))
    file.parent.mkdir(parents=True, exist_ok=True)
    write_pack(file, content)
    pictures = sum(map(len, content.training.values()))
    print(
        f"{file}: {file.stat().st_size / MIB:.1f} MiB, {pictures} pictures of "
        f"{len(content.training)} photographs, {len(content.held_out)} held out"
    )
    return 0


def train_all(order: Order) -> None:
    """Each scale that isn't there yet."""
    order.out.mkdir(parents=True, exist_ok=True)
    photographs = [shrunk(planes) for planes in order.pack.training.values()]
    whole = sum(SHARES[scale] for scale in order.scales)
    for scale in order.scales:
        weights = order.out / f"balanced-x{scale}.safetensors"
        if weights.is_file():
            print(f"{weights} is there", flush=True)
            continue
        seconds = order.seconds * SHARES[scale] / whole
        done = train_one(order, photographs, scale, seconds)
        save(done, weights, order)
        weights.with_suffix(".state").unlink()


def train_one(
    order: Order, photographs: Sequence[Sequence[Plane]], scale: int, seconds: float
) -> TrainedNetwork:
    begun_with = order.out / "balanced-x3.safetensors" if scale != 3 else None
    warm = load(begun_with, order.preset) if begun_with and begun_with.is_file() else None
    preset = replace(order.preset, rate=order.preset.rate * WARM_RATE) if warm else order.preset
    device = order.device
    source = DeviceCrops.of(photographs, scale, preset.max_crop, device=device)
    held_out = [pair(plane, scale) for group in order.pack.held_out.values() for plane in group]
    return train(
        preset,
        scale,
        source,
        held_out,
        order.out / f"balanced-x{scale}.state",
        device=device,
        seconds=seconds,
        warm_start=warm,
        report=course(order.out / f"balanced-x{scale}.csv", scale),
    )


def shrunk(planes: Sequence[Plane]) -> list[Plane]:
    return [imresize(plane, shrink) for plane in planes for shrink in SHRINKS]


def pair(plane: Plane, scale: int) -> Pair:
    height, width = (side // scale * scale for side in plane.shape)
    truth = plane[:height, :width]
    low = imresize(truth, Fraction(1, scale))
    return Pair(low.astype(np.float32) / 255, truth.astype(np.float32) / 255)


def load(file: Path, preset: Preset) -> nn.Module:
    net = PlainNet(3, preset.channels, preset.depth)
    net.load_state_dict(safetensors.torch.load(file.read_bytes()))
    return net


def save(done: TrainedNetwork, file: Path, order: Order) -> None:
    """As scripts/bundle.py takes it; written aside and renamed."""
    name = platform.processor() or platform.machine()
    if torch.device(order.device).type == "cuda":
        name = torch.cuda.get_device_name(order.device)
    pictures = len(order.pack.training) + len(order.pack.held_out)
    facts = {
        "steps": str(done.steps),
        "photographs": str(pictures),
        "seconds": f"{done.seconds:.0f}",
        "machine": name,
    }
    draft = file.with_suffix(".draft")
    draft.write_bytes(safetensors.torch.save(done.net.state_dict(), facts))
    draft.replace(file)
    print(f"{file}: {done.steps} steps in {done.seconds:.0f} s on {name}", flush=True)


def course(file: Path, scale: int) -> Callable[[Progress], None]:
    """What adds a row to the table and prints it."""

    def write(progress: Progress) -> None:
        new = not file.exists()
        with file.open("a", newline="") as stream:
            table = csv.writer(stream)
            if new:
                table.writerow(("step", "seconds", "loss", "held_out_psnr"))
            row = (progress.step, f"{progress.seconds:.1f}", f"{progress.loss:.6f}")
            table.writerow((*row, f"{progress.psnr:.4f}"))
        print(
            f"x{scale} step {progress.step} {progress.seconds:.0f} s loss {progress.loss:.5f} "
            f"held-out {progress.psnr:.3f} dB",
            flush=True,
        )

    return write


if __name__ == "__main__":
    sys.exit(main())

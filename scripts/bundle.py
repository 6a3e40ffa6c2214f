"""Rebuild the bundled networks and their manifest from the weights in weights/.

    python scripts/bundle.py --data FOLDER --photos FOLDER

The first folder holds the benchmark sets Set5, Set14 (GT/, x2/, x3/, x4/) and BSD100 (GT/), the
second the photographs that the networks were trained on. Every network is exported, checked, proven
equal to PyTorch, and measured as its users will run it: the ONNX file, 8-bit RGB in and out. Beside
a chain of convolutions on luma comes NAME-int8, calibrated on the photographs, where no set loses
more than 0.1 dB by it. Between `balanced` and `denoise` lie points of which only the int8 file is
bundled (`denoise-25-int8`, `denoise-50-int8`, `denoise-75-int8`: their float32 weights are mixed
when they are opened). What --only leaves out stays as it is. --sums makes no network anew: it only
moves sums of the int8 files off where processors round them differently.
"""

import argparse
import hashlib
import re
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Literal

import onnx
from safetensors import safe_open

from subpixel.graph.exact.clear_sums import clear_sums
from subpixel.graph.geometry.cost import multiply_adds_per_pixel, parameters
from subpixel.graph.int8.integer import to_integer
from subpixel.graph.int8.luma_chain import is_luma_chain
from subpixel.graph.metadata import read_spec, with_spec
from subpixel.graph.passes.mix import mix_weights
from subpixel.measure.benchmark_set import benchmark
from subpixel.measure.evaluate import Evaluation, evaluate
from subpixel.nets.checkpoints.checkpoint import load_checkpoint
from subpixel.parity.calibration import flat_pictures, folder_pictures
from subpixel.publish.release import release
from subpixel.spec import ModelSpec
from subpixel.upscaling.upscaler import Upscaler
from subpixel.zoo.family import POINTS, FamilyPoint
from subpixel.zoo.manifest import FOLDER as ZOO

WEIGHTS = Path(__file__).resolve().parents[1] / "weights"
BENCHMARKS = ("Set5", "Set14", "BSD100")
LICENCE = "Apache-2.0"
SCALES = (2, 3, 4)
MOST_LOST = 0.1
"""dB by which int8 may be worse."""
TRAINING_DATA = {
    "40": "40 photographs, CC0-1.0, CC-BY-4.0 and CC-BY-SA: credits in docs/models.md",
    "349": "349 photographs, drawings and prints, CC0-1.0, CC-BY, CC-BY-SA, public domain, BSD and "
    "MIT: credits in docs/models.md and docs/photographs.md",
}
"""By what the weights' metadata say under ``photographs``; the earliest say nothing: 40."""

HEAD = """\
# The bundled networks. Written by scripts/bundle.py; figures are Y-PSNR in dB by the protocol of
# subpixel.measure.evaluate, taken on these very files.
"""


@dataclass(frozen=True, eq=False)
class Entry:
    """A network's file, and what it reached on each set."""

    file: Path
    spec: ModelSpec
    found: Mapping[str, Evaluation]


def main() -> int:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--data", type=Path, required=True, help="the folder of benchmark sets")
    options.add_argument("--photos", type=Path, required=True, help="the training photographs")
    options.add_argument("--only", nargs="*", metavar="NAME", help="networks, such as fast-x3")
    options.add_argument("--int8", action="store_true", help="of the fp32 files as they are")
    options.add_argument(
        "--sums", action="store_true", help="only clear the sums of the int8 files as they are"
    )
    given = options.parse_args()
    if given.sums:
        return clear_files(given.data)
    weights = sorted(WEIGHTS.glob("*.safetensors"))
    chosen = [w for w in weights if given.only is None or w.stem in given.only]
    rows = {
        file: text for w in weights if w not in chosen for file, text in kept_rows(w.stem).items()
    }
    for checkpoint in chosen:
        file = ZOO / f"{checkpoint.stem}.onnx" if given.int8 else fp32(checkpoint)
        rows |= bundle(checkpoint, file, given.data, given.photos)
    for point, scale in ((p, s) for p in POINTS[1:-1] for s in SCALES):
        named = given.only is None or f"{point.name}-x{scale}" in given.only
        rows |= mixed(point, scale, given.data, given.photos) if named else kept_point(point, scale)
    files = sorted(rows, key=lambda file: file.rpartition("-")[::2])
    (ZOO / "manifest.toml").write_text("\n".join([HEAD, *(rows[file] for file in files)]))
    for file in ZOO.glob("*.onnx"):
        if file.name not in rows:
            file.unlink()
    return 0


def clear_files(data: Path) -> int:
    """Move the sums of the int8 files off where processors differ, without making these anew, and
    bring their rows up to date."""
    manifest = ZOO / "manifest.toml"
    for file in sorted(ZOO.glob("*-int8-*.onnx")):
        model = onnx.load(file)
        cleared = clear_sums(model)
        if cleared == model:
            continue
        (before,) = kept(file.name).values()
        file.write_bytes(cleared.SerializeToString())
        entry = measured(file, data)
        after = re.sub('sha256 = ".*"', f'sha256 = "{sha256(file)}"', before)
        after = re.sub("\npsnr = .*", f"\npsnr = {{ {figures(entry, 'network')} }}", after)
        manifest.write_text(manifest.read_text().replace(before, after))
        print(f"{file.name}: {before}became {after}", flush=True)
    return 0


def kept_rows(checkpoint: str) -> Mapping[str, str]:
    """The manifest's rows of a network and its int8 twin, by file, as they stand."""
    name, _, scale = checkpoint.rpartition("-")
    return kept(f"{checkpoint}.onnx", f"{name}-int8-{scale}.onnx")


def kept_point(point: FamilyPoint, scale: int) -> Mapping[str, str]:
    return kept(f"{point.name}-int8-x{scale}.onnx")


def kept(*files: str) -> Mapping[str, str]:
    texts = (ZOO / "manifest.toml").read_text().split("\n[[network]]\n")[1:]
    return {f: f"[[network]]\n{t.strip()}\n" for f in files for t in texts if f'"{f}"' in t}


def bundle(checkpoint: Path, file: Path, data: Path, photos: Path) -> Mapping[str, str]:
    """Put the int8 twin of a network's ``file`` beside it, where it can have one; their rows of the
    manifest, by file."""
    exact = measured(file, data)
    if not is_luma_chain(onnx.load(file)):  # no others compute in integers from end to end
        return {exact.file.name: row(exact, exact.file, checkpoint)}
    rounded = measured(int8(exact, photos), data)
    entries = [exact, rounded] if holds(rounded, exact) else [exact]
    return {entry.file.name: row(entry, exact.file, checkpoint) for entry in entries}


def mixed(point: FamilyPoint, scale: int, data: Path, photos: Path) -> Mapping[str, str]:
    """Put the int8 file of a point between the two networks into the zoo; its row, by file."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{point.name}-x{scale}.onnx"
        start, end = (
            onnx.load(ZOO / f"{end.name}-x{scale}.onnx") for end in (POINTS[0], POINTS[-1])
        )
        spec = read_spec(end)
        assert spec is not None
        ends = POINTS[0], POINTS[-1]
        weights = [WEIGHTS / f"{side.name}-x{scale}.safetensors" for side in ends]
        spec = replace(spec, name=point.name, origin=origin(*weights))
        model = mix_weights(start, end, point.strength)
        file.write_bytes(with_spec(model, spec).SerializeToString())
        exact = measured(file, data)
        rounded = measured(int8(exact, photos), data)
        if not holds(rounded, exact):
            sys.exit(f"{rounded.file}: loses more than {MOST_LOST} dB: {losses(rounded, exact)}")
        return {rounded.file.name: row(rounded, exact.file, *weights)}


def fp32(checkpoint: Path) -> Path:
    """Release one checkpoint into the zoo."""
    loaded = load_checkpoint(checkpoint)
    name = checkpoint.stem.rpartition("-")[0]
    spec = replace(loaded.spec, name=name, licence=LICENCE, origin=origin(checkpoint))
    file = ZOO / f"{checkpoint.stem}.onnx"
    report = release(loaded.module, file, spec=spec, overwrite=True)
    if not report:
        sys.exit(f"{checkpoint}: failed its checks: {report}")
    return file


def origin(*checkpoints: Path) -> str:
    return f"trained by the subpixel project on {training_data(*checkpoints)}"


def training_data(*checkpoints: Path) -> str:
    """What any of them was trained on: the larger set has all of the smaller."""
    counts = (fact(checkpoint, "photographs", "40") for checkpoint in checkpoints)
    return TRAINING_DATA[max(counts, key=int)]


def fact(checkpoint: Path, name: str, default: str = "") -> str:
    """What the file's metadata say of its training."""
    with safe_open(checkpoint, "numpy") as weights:
        return str(weights.metadata().get(name, default))


def int8(exact: Entry, photos: Path) -> Path:
    """The same network in 8-bit integers."""
    spec = replace(exact.spec, name=f"{exact.spec.name}-int8", precision="int8", samples="uint8")
    pictures = chain(folder_pictures(photos, exact.spec), flat_pictures(exact.spec))
    model = to_integer(onnx.load(exact.file), pictures)
    file = ZOO / f"{spec.name}-x{spec.scale}.onnx"
    file.write_bytes(with_spec(model, spec).SerializeToString())
    return file


def measured(file: Path, data: Path) -> Entry:
    spec = read_spec(onnx.load(file))
    assert spec is not None
    upscaler = Upscaler(file, device="cpu", tuning=False)
    found = {name: evaluate(upscaler, benchmark(data / name, spec.scale)) for name in BENCHMARKS}
    return Entry(file, spec, found)


def holds(rounded: Entry, exact: Entry) -> bool:
    """Whether no set loses more than ``MOST_LOST``."""
    lost = losses(rounded, exact)
    print(f"{rounded.file.name}: loses {lost}", flush=True)
    return all(loss <= MOST_LOST for loss in lost.values())


def losses(rounded: Entry, exact: Entry) -> Mapping[str, float]:
    """dB that int8 is worse by, by set."""
    return {
        name: round(exact.found[name].network.psnr - rounded.found[name].network.psnr, 4)
        for name in BENCHMARKS
    }


def row(entry: Entry, exact: Path, *checkpoints: Path) -> str:
    """The entry's row of the manifest; what it costs is counted in the float32 file ``exact``. Of
    several checkpoints the last one's steps are told."""
    model = onnx.load(exact)
    return f"""\
[[network]]
name = "{entry.spec.name}"
scale = {entry.spec.scale}
file = "{entry.file.name}"
sha256 = "{sha256(entry.file)}"
licence = "{LICENCE}"
training_data = "{training_data(*checkpoints)}"
steps = {fact(checkpoints[-1], "steps")}
parameters = {parameters(model)}
multiply_adds = {round(multiply_adds_per_pixel(model) or 0)}
psnr = {{ {figures(entry, "network")} }}
bicubic_psnr = {{ {figures(entry, "bicubic")} }}
"""


def figures(entry: Entry, of: Literal["network", "bicubic"]) -> str:
    return ", ".join(f"{s} = {getattr(e, of).psnr:.2f}" for s, e in entry.found.items())


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())

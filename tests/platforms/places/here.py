"""Places on this machine: its Python as it is, as if on older processors, and by other ways in."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import onnx

import masks
from places.jobs import Case, decode_png, encode_png, read_results, write_jobs
from places.place import Place, Results
from subpixel.graph.mobile import to_ort_format
from subpixel.publish.image_files import publish_image_files
from subpixel.runtime.image_files import run_image_file
from systems import environments, setup_arm

FOLDER = Path(__file__).parent


def run_script(
    script: str,
    cases: Sequence[Case],
    folder: Path,
    *,
    python: Sequence[str] = (sys.executable,),
    environment: Mapping[str, str] = {},
) -> Results:
    """By a script beside this file; integers first, as they are quick everywhere."""
    for integers in (True, False):
        some = [case for case in cases if case.integers == integers]
        if not some:
            continue
        command = [*python, str(FOLDER / script), str(write_jobs(some, folder))]
        subprocess.run(command, env=os.environ | dict(environment), check=True)
        yield from read_results(some, folder)


def run_here(cases: Sequence[Case], folder: Path) -> Results:
    return run_script("run_upscaler.py", cases, folder)


def run_masked(name: str, cases: Sequence[Case], folder: Path) -> Results:
    environment = masks.cpuid_variables(name, folder) | masks.variables(name)
    return run_script("run_upscaler.py", cases, folder, environment=environment)


def lack_mask(name: str) -> str | None:
    return masks.lack(name) or masks.cpuid_lack()


def run_arm(core: str, cases: Sequence[Case], folder: Path) -> Results:
    python = setup_arm.python_command(environments.CACHE / "arm", core)
    return run_script("run_networks.py", cases, folder, python=python)


def run_ort_format(cases: Sequence[Case], folder: Path) -> Results:
    def convert(case: Case) -> Path:
        file = folder / f"{case.name}.ort"
        file.write_bytes(to_ort_format(onnx.load(case.network.path)))
        return file

    jobs = write_jobs(cases, folder, convert)
    subprocess.run([sys.executable, str(FOLDER / "run_networks.py"), str(jobs)], check=True)
    return read_results(cases, folder)


def run_bytes(cases: Sequence[Case], folder: Path) -> Results:
    for case in cases:
        file = folder / f"{case.name}.onnx"
        publish_image_files(case.network.path, file)
        yield case, decode_png(run_image_file(file.read_bytes(), encode_png(case)))


def lack_extensions() -> str | None:
    try:
        import onnxruntime_extensions  # noqa: F401
    except ImportError as error:
        return f"needs the extra bytes: {error}"
    return None


def list_places() -> Sequence[Place]:
    older = [
        Place(
            f"python-{name}",
            f"Python, as on a processor with {name}",
            partial(run_masked, name),
            partial(lack_mask, name),
        )
        for name in masks.MASKS
    ]
    arm = [
        Place(f"arm-{core}", f"aarch64, {core} (qemu)", partial(run_arm, core), setup_arm.lack)
        for core in setup_arm.CORES
    ]
    return [
        Place("python", "Python, this processor", run_here),
        *older,
        *arm,
        Place("ort", "ORT format, as phones take it", run_ort_format),
        Place("bytes", "image bytes in and out", run_bytes, lack_extensions),
    ]

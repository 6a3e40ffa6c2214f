"""The kernels that add codes, as built for other processors, against their bit-exact emulation.

Slow: an aarch64 Debian under qemu, and onnxruntime-web, are set up from packages; skipped where
they can't be.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

import environments
import masks
import setup_arm
from processor_sums import KERNELS, PAIRS, draw_sum, sum_network
from subpixel.graph.exact.ties import CodeSum
from subpixel.graph.int8.qdq import QuantGrid

pytestmark = pytest.mark.slow
RUNNERS = Path(__file__).parent / "places"
HALVES = CodeSum(QuantGrid(0.5, 3), QuantGrid(0.5, 128), QuantGrid(1.0, 127))
FAR = CodeSum(QuantGrid(300.0, 3), QuantGrid(0.3, 128), QuantGrid(1.0, 127))


def sums() -> Sequence[CodeSum]:
    """At random, all halves, and beyond what fixed point holds."""
    random = np.random.default_rng(0)
    return [*(draw_sum(random) for _ in range(12)), HALVES, FAR]


def write_jobs(folder: Path) -> Path:
    """For `run_networks.py` and its likes: all pairs of codes through each sum."""
    inputs = {}
    for name, codes in zip(("first", "second"), PAIRS, strict=True):
        (folder / name).write_bytes(codes.tobytes())
        file = str(folder / name)
        inputs[name] = {"file": file, "type": "uint8", "shape": [1, 256, 256, 1]}
    jobs = []
    for place, sum_ in enumerate(sums()):
        network = folder / f"{place}.onnx"
        network.write_bytes(sum_network(sum_).SerializeToString())
        output = str(folder / f"{place}.raw")
        jobs.append({"file": str(network), "inputs": inputs, "output": output})
    (folder / "jobs.json").write_text(json.dumps(jobs), encoding="utf-8")
    return folder / "jobs.json"


def expect_kernel(name: str, folder: Path) -> None:
    for place, sum_ in enumerate(sums()):
        result = np.fromfile(folder / f"{place}.raw", np.uint8).reshape(256, 256)
        assert np.array_equal(result, KERNELS[name](*PAIRS, sum_)), sum_


@pytest.mark.parametrize("core", setup_arm.CORES)
def test_arm_adds_in_fixed_point(core: str, tmp_path: Path) -> None:
    if reason := setup_arm.lack():
        pytest.skip(reason)
    try:
        python = setup_arm.python_command(environments.CACHE / "arm", core)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"the aarch64 system can't be made here: {error}")
    jobs = write_jobs(tmp_path)
    subprocess.run([*python, str(RUNNERS / "run_networks.py"), str(jobs)], check=True)
    expect_kernel("neon", tmp_path)


def test_webassembly_adds_operator_by_operator(tmp_path: Path) -> None:
    modules = environments.node_modules({"onnxruntime-web": environments.WEB_RUNTIME})
    runtime = modules / "onnxruntime-web" / "dist" / "ort.wasm.mjs"
    command = ["node", str(RUNNERS / "run_networks.mjs"), runtime.as_uri()]
    subprocess.run([*command, str(write_jobs(tmp_path))], check=True)
    expect_kernel("scalar", tmp_path)


@pytest.mark.parametrize(("mask", "kernel"), [("sse41", "sse"), ("avx", "sse"), ("avx2", "avx2")])
def test_x86_adds_in_float32(mask: str, kernel: str, tmp_path: Path) -> None:
    if reason := masks.lack(mask) or masks.cpuid_lack():
        pytest.skip(reason)
    environment = os.environ | masks.cpuid_variables(mask, tmp_path)
    command = [sys.executable, str(RUNNERS / "run_networks.py"), str(write_jobs(tmp_path))]
    subprocess.run(command, env=environment, check=True)
    expect_kernel(kernel, tmp_path)

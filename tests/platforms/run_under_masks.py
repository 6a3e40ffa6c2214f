"""Runs the numeric tests as if on older x86 processors: ``make test-processors``.

    python tests/platforms/run_under_masks.py [avx512 avx2 sse41 ...]

PyTorch and oneDNN are told by their variables; ONNX Runtime, by ``older_x86.c`` where it works.
A processor that this machine can't show is left out, and said to be.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import masks

TESTS = Path(__file__).resolve().parents[1]
NUMERIC = [
    "graph/passes",
    "graph/int8",
    "graph/geometry",
    "imaging",
    "nets/architectures",
    "nets/layers",
    "platforms",
    "runtime",
    "upscaling",
]
"""Folders whose tests compare what is computed in floating point, or on integers bit by bit."""


def run_tests(name: str, folder: Path) -> int:
    reason = masks.cpuid_lack()
    if reason:
        print(f"{name}: for PyTorch alone, ONNX Runtime sees this processor: {reason}", flush=True)
    environment = os.environ | masks.variables(name) | {"OMP_NUM_THREADS": "1"}
    if not reason:
        environment |= masks.cpuid_variables(name, folder)
    # pytest's faulthandler would take the signal with which older_x86.c answers
    options = ["-p", "no:faulthandler", "-q", "-m", "not slow"]
    options += ["--numprocesses", "auto", "--dist", "loadfile"]
    command = [sys.executable, "-m", "pytest", *options]
    print(f"{name}: {' '.join(command)} {' '.join(NUMERIC)}", flush=True)
    folders = [str(TESTS / each) for each in NUMERIC]
    done = subprocess.run([*command, *folders], env=environment, cwd=TESTS.parent, check=False)
    return done.returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="PROCESSOR", help=", ".join(masks.MASKS))
    names = parser.parse_args().names or ["avx512", "avx2", "sse41"]
    if unknown := set(names) - set(masks.MASKS):
        parser.error(f"{', '.join(unknown)} unknown; there are {', '.join(masks.MASKS)}")
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            if reason := masks.lack(name):
                print(f"{name}: skipped: {reason}", flush=True)
            elif run_tests(name, Path(folder)):
                failed.append(name)
    if failed:
        print(f"failed as on: {', '.join(failed)}", flush=True)
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())

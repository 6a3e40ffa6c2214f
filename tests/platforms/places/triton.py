"""NVIDIA's Triton on packages, on loopback; ONNX Runtime through Python stands for its own backend
for ONNX files, which is in no package index."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from places.jobs import Case, decode_png, encode_png
from places.place import Place, Results
from places.services import find_port, wait_for
from subpixel.publish.package.package import package_network
from subpixel.publish.package.targets import find_target
from subpixel.publish.package.values import PINS
from systems.environments import make_venv

VERSION = "0.7.0"
"""Of nvidia-pytriton, which has Triton 2.51; it needs glibc 2.35."""


def install() -> Path:
    """The interpreter of an environment that holds the server."""
    return make_venv(
        "triton",
        f"nvidia-pytriton=={VERSION}",
        *(f"{package}=={PINS[package]}" for package in ("onnxruntime", "pillow")),
    )


@contextmanager
def triton_server(python: Path, repository: Path, state: Path) -> Iterator[str]:
    """The URL of Triton with the networks of ``repository``."""
    (home,) = python.parents[1].glob("lib/python*/site-packages/pytriton/tritonserver")
    backends, port = _lay_out_backends(home, state / "backends"), find_port()
    command = [
        str(home / "bin" / "tritonserver"),
        f"--model-repository={repository}",
        f"--backend-directory={backends}",
        "--http-address=127.0.0.1",
        f"--http-port={port}",
        "--allow-grpc=false",
        "--allow-metrics=false",
    ]
    environment = os.environ | {
        "LD_LIBRARY_PATH": str(home.parents[1] / "nvidia_pytriton.libs"),
        "PATH": os.pathsep.join([str(python.parent), os.environ["PATH"]]),
    }
    environment.pop("PYTHONPATH", None)
    with (state / "log").open("wb") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            wait_for(f"http://127.0.0.1:{port}/v2/health/ready", server, state / "log")
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(60)


def _lay_out_backends(home: Path, folder: Path) -> Path:
    """The server's own for Python, and one for ONNX files that is written in it."""
    shutil.copytree(home / "backends" / "python", folder / "python")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    stub = home / "python_backend_stubs" / version / "triton_python_backend_stub"
    shutil.copy(stub, folder / "python")
    (folder / "onnxruntime").mkdir()
    shutil.copy(Path(__file__).parent / "triton_backend.py", folder / "onnxruntime" / "model.py")
    return folder


def run_triton(cases: Sequence[Case], folder: Path) -> Results:
    """All networks in one repository, each asked by its package's client."""
    python, repository = install(), folder / "repository"
    target = find_target("triton")
    packages = {
        case: package_network(case.network.path, folder / case.name, target).path for case in cases
    }
    for package in packages.values():
        shutil.copytree(package / "repository", repository, dirs_exist_ok=True)
    with triton_server(python, repository, folder) as url:
        for case, package in packages.items():
            (package / "in.png").write_bytes(encode_png(case))
            command = [str(python), "client.py", url, "in.png", "out.png"]
            subprocess.run(command, cwd=package, check=True)
            yield case, decode_png((package / "out.png").read_bytes())


def list_places() -> Sequence[Place]:
    return [Place("triton", "Triton 2.51, ONNX Runtime through Python", run_triton)]

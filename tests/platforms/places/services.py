"""Servers: subpixel's own, and Azure's on a package; on loopback."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

from places.jobs import Case, decode_png, encode_png
from places.place import Place, Results
from served import server_process
from subpixel.publish.package.package import package_network
from subpixel.publish.package.targets import find_target
from subpixel.publish.package.values import PINS
from systems.environments import make_venv

PATIENCE = 600


def run_server(cases: Sequence[Case], _folder: Path) -> Results:
    """``subpixel serve``, with each network by its file."""
    files = [option for case in cases[1:] for option in ("--model", str(case.network.path))]
    with server_process(files, models=str(cases[0].network.path)) as server:
        for case in cases:
            query = f"model={case.name}&scale={case.network.scale}&format=png"
            url = f"{server.url}/v1/upscale?{query}"
            with urlopen(Request(url, encode_png(case)), timeout=PATIENCE) as answer:
                yield case, decode_png(answer.read())


LOOPBACK = """
import sys
import azureml_inference_server_http.constants as constants
constants.DEFAULT_HOST = "127.0.0.1"  # it is 0.0.0.0, and no option changes it
from azureml_inference_server_http.amlserver import run
run()
"""


@contextmanager
def azure_server(folder: Path, state: Path) -> Iterator[str]:
    """Azure's inference server on a package, on loopback."""
    python = make_venv(
        "azureml",
        f"azureml-inference-server-http=={PINS['azureml_server']}",
        *(f"{package}=={PINS[package]}" for package in ("numpy", "onnxruntime", "pillow")),
    )
    port = find_port()
    environment = os.environ | {"AZUREML_MODEL_DIR": str(folder)}
    environment.pop("PYTHONPATH", None)
    command = [str(python), "-c", LOOPBACK, "--entry_script", "score.py", "--port", str(port)]
    with (state / "log").open("wb") as log:
        server = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        try:
            wait_for(f"http://127.0.0.1:{port}/", server, state / "log")
            yield f"http://127.0.0.1:{port}/score"
        finally:
            server.terminate()
            server.wait(30)


def find_port() -> int:
    """One that is free on loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    """Until ``server`` answers there."""
    for _ in range(600):
        assert server.poll() is None, log.read_text()[-2000:]
        try:
            urlopen(url).close()
        except (URLError, ConnectionError):
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(log.read_text()[-2000:])


def run_azure(cases: Sequence[Case], folder: Path) -> Results:
    """A package of each network, with the program that ``package`` writes."""
    for case in cases:
        out = folder / case.name
        package = package_network(case.network.path, out, find_target("azureml")).path
        with (
            azure_server(package, folder) as url,
            urlopen(Request(url, encode_png(case)), timeout=PATIENCE) as answer,
        ):
            yield case, decode_png(answer.read())


def list_places() -> Sequence[Place]:
    return [
        Place("server", "subpixel serve", run_server),
        Place("azure", "Azure's inference server", run_azure),
    ]

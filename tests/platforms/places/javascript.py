"""JavaScript: Node, and Chromium with WebAssembly or a graphics card in software."""

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from page_server import serve_folder
from places.jobs import Case, read_results, write_jobs
from places.place import Place, Results
from systems import environments

FOLDER = Path(__file__).parent
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ISOLATED = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}
"""Without them a browser gives one thread alone."""
SOFTWARE_GPU = (
    "--enable-unsafe-webgpu",
    "--use-webgpu-adapter=swiftshader",
    "--enable-unsafe-swiftshader",
    "--enable-features=Vulkan",
    "--use-vulkan=swiftshader",
)
PATIENCE = 900_000
"""Milliseconds for one network: machines are shared."""


def run_node(cases: Sequence[Case], folder: Path) -> Results:
    modules = environments.node_modules({"onnxruntime-node": environments.NODE_RUNTIME})
    runtime = (modules / "onnxruntime-node" / "dist" / "index.js").as_uri()
    command = ["node", str(FOLDER / "run_networks.mjs"), runtime, str(write_jobs(cases, folder))]
    subprocess.run(command, check=True)
    return read_results(cases, folder)


def lack_node() -> str | None:
    return None if shutil.which("node") and shutil.which("npm") else "node and npm are not here"


def run_chromium(
    provider: str,
    headers: Mapping[str, str],
    arguments: Sequence[str],
    cases: Sequence[Case],
    folder: Path,
) -> Results:
    """By ``run_networks.html``, on a loopback server of ``folder``."""
    from playwright.sync_api import sync_playwright

    modules = environments.node_modules({"onnxruntime-web": environments.WEB_RUNTIME})
    shutil.copytree(modules / "onnxruntime-web" / "dist", folder / "runtime")
    shutil.copy(FOLDER / "run_networks.html", folder)
    jobs = json.loads(write_jobs(cases, folder).read_text(encoding="utf-8"))
    program = next(filter(None, map(shutil.which, BROWSERS)))
    with serve_folder(folder, headers) as url, sync_playwright() as driver:
        options = ["--no-sandbox", *arguments]
        browser = driver.chromium.launch(executable_path=program, args=options)
        tab = browser.new_page()
        tab.set_default_timeout(PATIENCE)
        tab.goto(f"{url}run_networks.html?{provider}")
        tab.wait_for_function("Boolean(window.run)")
        for case, job in zip(cases, jobs, strict=True):
            shutil.copy(case.network.path, folder / "network.onnx")
            ((name, source),) = job["inputs"].items()
            own = {**source, "file": Path(source["file"]).name, "name": name}
            result = bytes.fromhex(tab.evaluate("(job) => run(job)", own))
            yield case, case.codes_of(result)
        browser.close()


def lack_chromium() -> str | None:
    if not any(map(shutil.which, BROWSERS)):
        return f"needs one of {', '.join(BROWSERS)}"
    return lack_node() if find_spec("playwright") else "needs the extra test-page"


def is_float(case: Case) -> bool:
    return not case.integers


def list_places() -> Sequence[Place]:
    wasm, gpu = (partial(run_chromium, provider) for provider in ("wasm", "webgpu"))
    return [
        Place("node", "Node, onnxruntime-node", run_node, lack_node),
        Place("wasm-1", "Chromium, WebAssembly, 1 thread", partial(wasm, {}, ()), lack_chromium),
        Place(
            "wasm-n",
            "Chromium, WebAssembly, threads",
            partial(wasm, ISOLATED, ()),
            lack_chromium,
        ),
        Place(
            "webgpu",
            "Chromium, WebGPU (SwiftShader)",
            partial(gpu, ISOLATED, SOFTWARE_GPU),
            lack_chromium,
            is_float,
            exact=False,
        ),
    ]

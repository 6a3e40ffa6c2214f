"""Environments of their own for other runtimes: made once, kept in a cache, skipped without a
network."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

import pytest

CACHE = Path(os.environ.get("SUBPIXEL_TEST_CACHE", Path.home() / ".cache" / "subpixel-tests"))
"""Not the cache of subpixel's own, which the tests replace."""


WEB_RUNTIME = "1.30.0"
"""onnxruntime-web's version, as the page has it."""


def run_tool(command: list[str], folder: Path, seconds: int = 600) -> str:
    """Run it in ``folder`` and return what it says; skips the test where it fails."""
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=seconds, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"{command[0]}: {error}")
    if done.returncode:
        pytest.skip(f"{' '.join(command[:3])} failed here: {done.stderr.strip()[-300:]}")
    return done.stdout


def make_venv(name: str, *requirements: str) -> Path:
    """The interpreter of a virtual environment that holds ``requirements``."""
    folder = CACHE / f"{name}-{sysconfig.get_python_version()}"
    scripts = "Scripts" if os.name == "nt" else "bin"
    python = folder / scripts / "python"
    mark = folder / "requirements.txt"
    if mark.exists() and mark.read_text(encoding="utf-8").split() == list(requirements):
        return python
    CACHE.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    run_tool([sys.executable, "-m", "venv", str(folder)], CACHE)
    run_tool([str(python), "-m", "pip", "install", "--quiet", *requirements], CACHE)
    mark.write_text("\n".join(requirements), encoding="utf-8")
    return python


def install_node_modules(folder: Path) -> None:
    """What the package.json in ``folder`` names, without running install scripts."""
    modules = _install((folder / "package.json").read_text(encoding="utf-8"), CACHE / "node")
    (folder / "node_modules").symlink_to(modules)


def node_modules(versions: Mapping[str, str]) -> Path:
    """The ``node_modules`` that holds ``versions``, without running install scripts."""
    wanted = json.dumps({"private": True, "dependencies": dict(versions)})
    return _install(wanted, CACHE / "-".join(["node", *versions]))


def _install(package: str, folder: Path) -> Path:
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("node and npm are not here")
    folder.mkdir(parents=True, exist_ok=True)
    mark = folder / "done"
    if not mark.exists() or mark.read_text(encoding="utf-8") != package:
        (folder / "package.json").write_text(package, encoding="utf-8")
        run_tool(["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund"], folder)
        mark.write_text(package, encoding="utf-8")
    return folder / "node_modules"

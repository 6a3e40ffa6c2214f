"""What runs networks on phones: here on this processor."""

import os
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from places.here import run_script
from places.jobs import Case
from places.place import Place, Results
from systems.environments import make_venv

PACKAGES = ("executorch==1.5.1", "torchao==0.18.0", "ruamel.yaml==0.19.1", "tabulate==0.10.0")
"""ExecuTorch's own of the version that takes this PyTorch, and what it imports beside that."""


def run_executorch(cases: Sequence[Case], folder: Path) -> Results:
    """With this environment's PyTorch, which would be half a gigabyte once more."""
    python = make_venv("executorch", "--no-deps", *PACKAGES)
    ours = sysconfig.get_paths()["purelib"]
    path = os.pathsep.join([os.environ.get("PYTHONPATH", ""), ours]).strip(os.pathsep)
    environment = {"PYTHONPATH": path, "PYTHONWARNINGS": "ignore"}
    script = "run_executorch.py"
    return run_script(script, cases, folder, python=[str(python)], environment=environment)


def lack_torch() -> str | None:
    try:
        import torch  # noqa: F401
    except ImportError:
        return "needs the extra torch"
    return None


def list_places() -> Sequence[Place]:
    return [
        Place(
            "executorch",
            "ExecuTorch 1.5 (XNNPACK), as phones run PyTorch",
            run_executorch,
            lack_torch,
            takes=lambda case: not case.integers,
        )
    ]

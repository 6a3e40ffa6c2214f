"""torchvision is imported where it works, where it doesn't, and nothing is declared for nothing."""

import subprocess
import sys
from types import ModuleType

import pytest
import torch

from subpixel.nets.spandrel.torchvision_schemas import ensure_torchvision

BROKEN = """
import torch
def refuse(*arguments):
    raise OSError("built for another PyTorch")
torch.ops.load_library = refuse
"""
"""As where torchvision's compiled part was built for another PyTorch than the one installed."""

ASSURED = """
from subpixel.nets.spandrel.torchvision_schemas import ensure_torchvision
ensure_torchvision()
import spandrel
print(len(spandrel.MAIN_REGISTRY) > 40)
"""


def run(code: str) -> str:
    """What ``code`` prints in a process of its own, or the last line of what it dies of."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False
    )
    return (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines()[-1]


@pytest.mark.slow
def test_the_workaround_is_still_needed() -> None:
    """Should this fail, torchvision imports without its operators: delete the workaround."""
    said = run(BROKEN + "import torchvision; print('imported')")
    assert said == "RuntimeError: operator torchvision::nms does not exist"


@pytest.mark.slow
def test_spandrel_loads_without_the_operators() -> None:
    assert run(BROKEN + ASSURED) == "True"


def test_a_torchvision_that_works_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str, schema: str) -> None:
        raise AssertionError(name, schema)

    monkeypatch.setitem(sys.modules, "torchvision", ModuleType("torchvision"))
    monkeypatch.setattr(torch.library, "define", refuse)
    ensure_torchvision()


def test_a_missing_torchvision_is_said_to_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(ModuleNotFoundError):
        ensure_torchvision()


def test_other_failures_are_raised_as_they_are(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("broken")
    (folder / "torchvision.py").write_text("raise RuntimeError('something else')")
    monkeypatch.syspath_prepend(folder)
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(RuntimeError, match="something else"):
        ensure_torchvision()

"""Classes of scripts, notebooks and ``exec`` are exported as those of modules are."""

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import cloudpickle
import pytest
from torch import nn

from subpixel.nets.export.attempt import Attempt
from subpixel.nets.export.export import export_attempt
from subpixel.nets.export.namespaces import own_namespaces
from subpixel.nets.export.workarounds import symbolic_int
from subpixel.spec import ModelSpec

NETWORK = '''
import math
import torch
from torch import nn


def partition(x, size):
    b, h, w, c = x.shape
    x = x.view(b, h // size, size, w // size, size, c)
    return x.permute(0, 1, 3, 2, 4, 5).contiguous().view(-1, size, size, c)


def reverse(windows, size, h, w):
    b = int(windows.shape[0] / (h * w / size / size))
    x = windows.view(b, h // size, w // size, size, size, -1)
    return x.permute(0, 1, 3, 2, 4, 5).contiguous().view(b, h, w, -1)


class Windows(nn.Module):
    """Pads to windows, and counts the pictures of a batch by int()."""

    def __init__(self):
        super().__init__()
        self.mix = nn.Linear(3, 12)

    def forward(self, x):
        h, w = x.shape[2:]
        rows, columns = (4 - h % 4) % 4, (4 - w % 4) % 4
        x = nn.functional.pad(x, (0, columns, 0, rows), "replicate")
        windows = partition(x.permute(0, 2, 3, 1), 4)
        y = self.mix(windows) + windows.mean((1, 2, 3), keepdim=True)
        y = reverse(y, 4, h + rows, w + columns).permute(0, 3, 1, 2)
        return nn.functional.pixel_shuffle(y, 2)[..., : h * 2, : w * 2]
'''

SCRIPT = (
    NETWORK
    + """

import sys
import subpixel

torch.manual_seed(0)
report = subpixel.export(Windows(), sys.argv[1], spec=subpixel.ModelSpec("n", 2, "rgb", "rgb"))
print(bool(report), report.spec.fixed_size, report.spec.fixed_batch, report.tried[-1].attempt)
"""
)


def executed(name: str = "made_up") -> nn.Module:
    """A network whose class is in no module that is imported."""
    space: dict[str, Any] = {"__name__": name}
    exec(NETWORK, space)
    module: nn.Module = space["Windows"]()
    return module


@pytest.mark.parametrize("name", ["made_up", "__main__"])
def test_int_is_symbolic_in_code_of_no_module(name: str) -> None:
    module = executed(name)
    space = type(module).forward.__globals__
    assert any(names is space for names in own_namespaces(module))
    with symbolic_int(module):
        assert space["int"] is not int
        assert space["math"] is not math
    assert "int" not in space
    assert space["math"] is math


def test_functions_that_only_others_call_are_reached() -> None:
    helper: dict[str, Any] = {"__name__": "helper"}
    exec("def half(x):\n    return int(x / 2)", helper)
    space: dict[str, Any] = {"__name__": "made_up", "half": helper["half"]}
    exec("from torch import nn\nclass Net(nn.Module):\n  def forward(s, x): return half(x)", space)
    assert any(names is helper for names in own_namespaces(space["Net"]()))


def test_a_class_inside_a_function() -> None:
    def build() -> nn.Module:
        size = executed().mix.in_features  # type: ignore[union-attr]

        class Inner(nn.Module):
            def forward(self, x: Any) -> Any:  # noqa: ANN401
                return x * size

        return Inner()

    assert any(names is globals() for names in own_namespaces(build()))


def test_what_is_taken_from_pytorch_is_left_alone() -> None:
    namespaces = own_namespaces(nn.Sequential(nn.Conv2d(3, 3, 3)))
    assert not any(str(names.get("__name__")).startswith("torch") for names in namespaces)


@pytest.mark.slow
def test_the_batch_stays_free_in_an_executed_network() -> None:
    spec = ModelSpec("windows", 2, "rgb", "rgb")
    module = cloudpickle.loads(cloudpickle.dumps(executed()))
    exported = export_attempt(module, spec, Attempt("dynamo", (2, 51, 67), symbolic=True), 18)
    batch = exported.model.graph.output[0].type.tensor_type.shape.dim[0]
    assert batch.dim_param


@pytest.mark.slow
@pytest.mark.parametrize("way", ["script", pytest.param("notebook", marks=pytest.mark.campaign)])
def test_a_script_and_a_notebook_export_as_a_module_does(tmp_path: Path, way: str) -> None:
    """A notebook's ``__main__`` has no file, as that of ``python -c``."""
    (tmp_path / "script.py").write_text(SCRIPT)
    begin = ["script.py"] if way == "script" else ["-c", SCRIPT]
    done = subprocess.run(
        [sys.executable, *begin, str(tmp_path / "net.onnx")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split()[:3] == ["True", "None", "None"], done.stdout + done.stderr
    assert "dynamo from 2×51×67, int() kept symbolic" in done.stdout

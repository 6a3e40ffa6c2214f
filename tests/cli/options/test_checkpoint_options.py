"""``--weights`` and ``--setting``: which of a checkpoint's networks, wherever one is loaded."""

import json
from pathlib import Path

import pytest
import torch

from subpixel.cli.main import run
from subpixel.nets.architectures.espcn import ESPCN
from subpixel.nets.architectures.plain import PlainNet


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sets of weights, an untrained network, and the file of the averaged ones."""
    folder = tmp_path_factory.mktemp("checkpoints")
    torch.manual_seed(0)
    averaged, plain = (PlainNet(2, channels=2, depth=1).state_dict() for _ in range(2))
    torch.save({"params": plain, "params_ema": averaged}, folder / "net.pth")
    torch.save(ESPCN(2, wide=4, narrow=4).state_dict(), folder / "untrained.pth")
    return folder


@pytest.fixture(scope="module")
def exported(folder: Path) -> Path:
    out = folder / "net.onnx"
    arguments = ["export", str(folder / "net.pth"), "-o", str(out), "--exporter", "trace"]
    assert run(arguments) == 0
    return out


@pytest.mark.slow
def test_what_was_taken_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = folder / "said.onnx"
    assert run(["export", str(folder / "net.pth"), "-o", str(out), "--exporter", "trace"]) == 0
    said = "weights params_ema, averaged (also there: params)"
    assert f"taken     {said}" in capsys.readouterr().out
    assert run(["info", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["origin"].endswith(said)


@pytest.mark.slow
def test_verify_holds_a_file_to_the_weights_that_are_named(folder: Path, exported: Path) -> None:
    arguments = ["verify", str(exported), "--against", str(folder / "net.pth")]
    assert run(arguments) == 0
    assert run([*arguments, "--weights", "params"]) == 1


@pytest.mark.slow
def test_bisect_holds_a_file_to_the_weights_that_are_named(folder: Path, exported: Path) -> None:
    arguments = ["bisect", str(exported), "--against", str(folder / "net.pth")]
    assert run([*arguments, "--weights", "params_ema"]) == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            ["export", "net.pth", "--weights", "swa"],
            1,
            "no weights under 'swa'; it has params",
        ),
        (["export", "untrained.pth"], 1, "use --module for your own code, or --setting default if"),
        (["export", "untrained.pth", "--setting", "top=1"], 2, "has no open setting 'top'; it has"),
        (["export", "untrained.pth", "--setting", "range"], 2, "write NAME=VALUE, or default"),
        (["export", "--module", "a:b", "--weights", "ema"], 2, "are for checkpoints; a module"),
    ],
)
def test_what_can_not_be(
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    message: str,
) -> None:
    verb, *rest = (str(folder / one) if one.endswith(".pth") else one for one in arguments)
    assert run([verb, *rest, "-o", str(tmp_path / "net.onnx")]) == code
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_they_are_for_checkpoints(
    folder: Path, exported: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["verify", str(exported), "--against", str(exported), "--weights", "ema"]) == 2
    assert "is an ONNX file; --weights and --setting are for checkpoints" in capsys.readouterr().err
    evaluate = ["evaluate", "--model", "fast", "--data", str(folder), "--setting", "default"]
    assert run(evaluate) == 2
    assert "fast is no checkpoint" in capsys.readouterr().err


@pytest.mark.slow
def test_an_untrained_network_goes_in_by_a_setting(folder: Path, tmp_path: Path) -> None:
    file, out = folder / "untrained.pth", tmp_path / "net.onnx"
    arguments = ["export", str(file), "-o", str(out), "--exporter", "trace"]
    assert run([*arguments, "--setting", "default"]) == 0
    assert out.is_file()

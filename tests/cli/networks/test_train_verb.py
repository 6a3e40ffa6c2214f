"""``subpixel train``, apart from what a run does."""

from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from subpixel.cli.main import run
from subpixel.cli.signals import Ended

INTERRUPTS: list[Callable[[], BaseException]] = [KeyboardInterrupt, lambda: Ended(15)]


def train(folder: Path, output: str = "net.onnx") -> int:
    return run(["train", "--data", str(folder), "--scale", "2", "-o", str(folder / output)])


@pytest.mark.parametrize("interrupt", INTERRUPTS, ids=["Ctrl-C", "SIGTERM"])
@pytest.mark.parametrize("begun", [False, True])
def test_an_interrupted_run_says_how_it_goes_on(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    interrupt: Callable[[], BaseException],
    begun: bool,
) -> None:
    def interrupted_run(*_: object, **__: object) -> NoReturn:
        raise interrupt()

    if begun:
        (tmp_path / "net.state").touch()
    monkeypatch.setattr("subpixel.train.recipe.run_recipe", interrupted_run)
    assert train(tmp_path) in {130, 143}
    said = capsys.readouterr().err
    assert ("net.state holds the run so far; the same command goes on from there" in said) == begun
    assert "interrupted" in said


def test_another_suffix_than_onnx_is_refused_before_any_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(tmp_path, "net.pth") == 2
    assert "net.pth: an ONNX file's name ends in .onnx" in capsys.readouterr().err

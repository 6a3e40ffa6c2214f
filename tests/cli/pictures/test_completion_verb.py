"""``subpixel completion``: what it prints is what the shells take."""

import shutil
import subprocess

import pytest

from subpixel.cli.main import run

SHELLS = ("bash", "zsh", "fish")


@pytest.mark.parametrize("shell", SHELLS)
def test_the_shell_takes_the_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    if shell == "bash" and shutil.which("bash") is None:
        pytest.skip("bash is not installed")
    assert run(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert "_SUBPIXEL_COMPLETE" in script
    if program := shutil.which(shell):
        check = subprocess.run([program, "-n"], input=script, capture_output=True, text=True)
        assert (check.returncode, check.stderr) == (0, "")


def test_another_shell_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", "tcsh"]) == 2
    assert "'bash', 'zsh', 'fish'" in capsys.readouterr().err

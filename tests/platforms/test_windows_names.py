"""Names as Windows has them, through the whole command line under Wine.

Slow, and skipped where Wine or PyPI isn't there.
"""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from places.windows import Windows, open_windows, path_of
from systems import setup_windows

pytestmark = pytest.mark.slow
NETWORK = ("--model", "fast", "--scale", "2", "--threads", "1")


@pytest.fixture(scope="module")
def windows() -> Windows:
    if reason := setup_windows.lack():
        pytest.skip(reason)
    try:
        return open_windows()
    except subprocess.CalledProcessError as error:
        pytest.skip(f"a Windows Python can't be made here: {error}")


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """``tmp_path/in/picture.png``, 20×16."""
    file = tmp_path / "in" / "picture.png"
    file.parent.mkdir()
    samples = np.random.default_rng(0).integers(0, 256, (16, 20, 3), np.uint8)
    Image.fromarray(samples).save(file)
    return file


def size(file: Path) -> tuple[int, int]:
    with Image.open(file) as image:
        return image.size


def test_backslashes_and_drive_letters(windows: Windows, picture: Path, tmp_path: Path) -> None:
    done = windows.run(
        "upscale", path_of(picture), "-o", path_of(tmp_path / "o.png"), *NETWORK, folder=tmp_path
    )
    assert done.returncode == 0, done.stderr
    done = windows.run("upscale", "in\\picture.png", "-o", ".\\p.png", *NETWORK, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert size(tmp_path / "o.png") == size(tmp_path / "p.png") == (40, 32)
    assert (tmp_path / "o.png").read_bytes() == (tmp_path / "p.png").read_bytes()


def test_spaces_and_other_scripts(windows: Windows, picture: Path, tmp_path: Path) -> None:
    other = tmp_path / "in" / "mäh 写真 1.png"
    shutil.move(picture, other)
    done = windows.run("upscale", path_of(other), "-o", "größer 大.png", *NETWORK, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert size(tmp_path / "größer 大.png") == (40, 32)


def test_a_folder_into_a_folder(windows: Windows, picture: Path, tmp_path: Path) -> None:
    shutil.copy(picture, tmp_path / "in" / "second.PNG")
    done = windows.run("upscale", "in", "-o", "out", *NETWORK, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    names = sorted(file.name.lower() for file in (tmp_path / "out").iterdir())
    assert names == [".subpixel", "picture.png", "second.png"]


def test_case_makes_no_other_file(windows: Windows, picture: Path, tmp_path: Path) -> None:
    """The input by another case is the input: it isn't overwritten by its own result."""
    before = picture.read_bytes()
    done = windows.run(
        "upscale", "in\\picture.png", "-o", "IN\\PICTURE.PNG", *NETWORK, folder=tmp_path
    )
    assert done.returncode == 2, done.stderr
    assert picture.read_bytes() == before


def test_long_paths(windows: Windows, picture: Path, tmp_path: Path) -> None:
    """Beyond 260 characters, by names of 100. Wine 8 fails to name what is behind such a path's
    handle (GetFinalPathNameByHandle), which Windows does."""
    deep = tmp_path.joinpath(*("n" * 100 for _ in range(3)))
    deep.mkdir(parents=True)
    shutil.copy(picture, deep / "picture.png")
    done = windows.run(
        "upscale",
        path_of(deep / "picture.png"),
        "-o",
        path_of(deep / "larger.png"),
        *NETWORK,
        folder=tmp_path,
    )
    if "WinError 234" in done.stderr:
        assert "Traceback" not in done.stderr
        pytest.xfail("this Wine has room for 260 characters alone")
    assert done.returncode == 0, done.stderr
    assert size(deep / "larger.png") == (40, 32)


@pytest.mark.usefixtures("picture")
@pytest.mark.parametrize("name", ["NUL", "CON.png", "aux", "COM1.png"])
def test_reserved_names_are_no_files(name: str, windows: Windows, tmp_path: Path) -> None:
    """A device is said to be one, or what is there stays a picture; never a traceback."""
    done = windows.run("upscale", "in\\picture.png", "-o", name, *NETWORK, folder=tmp_path)
    assert done.returncode in (0, 1, 2)
    assert "Traceback" not in done.stderr
    if done.returncode:
        assert "subpixel" in done.stderr.lower() or "error" in done.stderr.lower()


HOLD = """
import ctypes, sys, time
create = ctypes.windll.kernel32.CreateFileW
handle = create(sys.argv[1], 0xC0000000, 0, None, 3, 0x80, None)
print(handle != -1, flush=True)
sys.stdin.read()
"""


def test_a_locked_file_is_said_to_be_so(windows: Windows, picture: Path, tmp_path: Path) -> None:
    """Open elsewhere, shared with nobody: one line, and no half of a result."""
    command = [*windows.command, "-c", HOLD, path_of(picture)]
    with subprocess.Popen(
        command,
        env=windows.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline().strip() == "True"
        done = windows.run("upscale", "in\\picture.png", "-o", "o.png", *NETWORK, folder=tmp_path)
        holder.communicate("")
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr
    assert "picture.png" in done.stderr
    assert sorted(file.name for file in tmp_path.iterdir()) == ["in"]

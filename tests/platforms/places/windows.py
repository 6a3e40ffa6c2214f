"""Windows, by Wine: the whole command line, from file to file."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from places.jobs import Case, decode_png, encode_png
from places.place import Place, Results
from systems import environments, setup_windows

PATIENCE = 300


@dataclass(frozen=True)
class Windows:
    """A Windows Python that has subpixel."""

    command: Sequence[str]
    environment: Mapping[str, str]

    def run(self, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
        """``subpixel ARGUMENTS`` in ``folder``."""
        return subprocess.run(
            [*self.command, "-m", "subpixel", *arguments],
            cwd=folder,
            env=self.environment,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=PATIENCE,
            check=False,
        )


def open_windows() -> Windows:
    folder = environments.CACHE / "windows"
    command = setup_windows.python_command(folder)
    setup_windows.link_subpixel(folder)
    return Windows(command, setup_windows.variables(folder))


def path_of(file: Path) -> str:
    """As Windows names it: Wine's drive Z is all of this machine."""
    return "Z:" + str(file).replace(os.sep, "\\")


def run_windows(cases: Sequence[Case], folder: Path) -> Results:
    windows = open_windows()
    for case in cases:
        picture, larger = (folder / f"{case.name}.{end}.png" for end in ("in", "out"))
        picture.write_bytes(encode_png(case))
        network = path_of(Path(case.network.path))
        ends = [path_of(picture), "-o", path_of(larger), "--overwrite"]
        done = windows.run("upscale", *ends, "--model", network, "--threads", "1", folder=folder)
        if done.returncode:
            raise RuntimeError(f"{case.name}: {done.stderr}")
        yield case, decode_png(larger.read_bytes())


def list_places() -> Sequence[Place]:
    return [Place("windows", "Windows (Wine), command line", run_windows, setup_windows.lack)]

"""A small aarch64 Debian with Python, NumPy and ONNX Runtime, run by qemu-user on this machine.

    python tests/platforms/setup_arm.py FOLDER
    python tests/platforms/setup_arm.py --core cortex-a53 FOLDER -c "import onnxruntime"

The first makes it, in a minute, from Debian's packages and PyPI's wheels; the second runs its
Python as on one of ``CORES``. Needs qemu-user-static and debootstrap (apt-get install), and root or
fakeroot, as debootstrap does.
"""

import argparse
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

SUITE = "bookworm"
PYTHON = "3.11"
"""That of the suite."""
PACKAGES = "python3,libstdc++6,libgomp1"
PLATFORMS = ("manylinux_2_28_aarch64", "manylinux_2_27_aarch64", "manylinux2014_aarch64")
WHEELS = ("numpy", "onnxruntime")
CONSTRAINTS = Path(__file__).resolve().parents[2] / "constraints.txt"
QEMU = "qemu-aarch64-static"

CORES: Mapping[str, str] = {"cortex-a53": "0xd03", "cortex-a76": "0xd0b", "max": "0xd40"}
"""qemu's names, and the part number by which ONNX Runtime knows them: without dot products, with
them, and with 8-bit matrix products and SVE."""

FEATURES = "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc"
PROCESSOR = """processor\t: {number}
BogoMIPS\t: 50.00
Features\t: {features}
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x1
CPU part\t: {part}
CPU revision\t: 1

"""


def lack() -> str | None:
    """Why it can't be made or run here; None if it can."""
    if sys.platform != "linux":
        return "qemu-user runs on Linux only"
    missing = [tool for tool in (QEMU, "debootstrap", "dpkg-deb") if shutil.which(tool) is None]
    if missing:
        return f"{', '.join(missing)} missing: apt-get install qemu-user-static debootstrap"
    if os.geteuid() and shutil.which("fakeroot") is None:
        return "debootstrap needs root or fakeroot: apt-get install fakeroot"
    return None


def make_root(folder: Path) -> Path:
    """The system's root below ``folder``; made there if it isn't yet.

    Raises :class:`subprocess.CalledProcessError` where a download or a tool fails.
    """
    root, mark = folder / "root", folder / "done"
    wanted = "\n".join(pins())
    if mark.exists() and mark.read_text(encoding="utf-8") == wanted:
        return root
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    unpack_debian(root)
    unpack_wheels(folder)
    describe_processors(root, "max")
    mark.write_text(wanted, encoding="utf-8")
    return root


def pins() -> Sequence[str]:
    """The versions that subpixel is tested with."""
    lines = CONSTRAINTS.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.partition("==")[0] in WHEELS]


def unpack_debian(root: Path) -> None:
    """Debian's packages, downloaded and unpacked; none of their scripts are run."""
    command = ["debootstrap", "--foreign", "--arch=arm64", "--variant=minbase"]
    command += [f"--include={PACKAGES}", SUITE, str(root)]
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    as_root = [] if os.geteuid() == 0 else ["fakeroot"]
    environment = os.environ | {"PATH": path}
    subprocess.run([*as_root, *command], env=environment, check=True, stdout=subprocess.DEVNULL)
    for package in sorted((root / "var/cache/apt/archives").glob("*.deb")):
        subprocess.run(["dpkg-deb", "-x", str(package), str(root)], check=True)
        package.unlink()


def unpack_wheels(folder: Path) -> None:
    wheels = folder / "wheels"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:"]
    for platform in PLATFORMS:
        command += ["--platform", platform]
    command += ["--python-version", PYTHON, "--no-deps", "-d", str(wheels), *pins()]
    subprocess.run(command, check=True)
    for wheel in wheels.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder / "site")
    shutil.rmtree(wheels)


def describe_processors(root: Path, core: str) -> None:
    """What Linux would say of ``core``: ONNX Runtime crashes without it."""
    (root / "proc").mkdir(exist_ok=True)
    features = FEATURES + (" asimddp" if core != "cortex-a53" else "")
    features += " sve i8mm" if core == "max" else ""
    text = [
        PROCESSOR.format(number=number, features=features, part=CORES[core]) for number in (0, 1)
    ]
    (root / "proc/cpuinfo").write_text("".join(text), encoding="ascii")
    folder = root / "sys/devices/system/cpu"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("possible", "present"):
        (folder / name).write_text("0-1\n", encoding="ascii")


def python_command(folder: Path, core: str) -> Sequence[str]:
    """The start of a command: that system's Python as on ``core``; one core at a time."""
    root = make_root(folder)
    describe_processors(root, core)
    python = str(root / f"usr/bin/python{PYTHON}")
    return [QEMU, "-L", str(root), "-E", f"PYTHONPATH={folder / 'site'}", "-cpu", core, python]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--core", choices=CORES, default="max")
    parser.add_argument("folder", type=Path, help="where it is, or is to be made")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="for its Python")
    given = parser.parse_args()
    if reason := lack():
        parser.error(reason)
    command = python_command(given.folder.resolve(), given.core)
    arguments = given.arguments or ["-c", "import onnxruntime; print(onnxruntime.__version__)"]
    return subprocess.run([*command, *arguments], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())

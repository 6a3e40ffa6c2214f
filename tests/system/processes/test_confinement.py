"""A confined process has one file, no network, no children; that is tried, not asked."""

import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

from subpixel.system.processes.confinement import Confinement, describe_confinement
from subpixel.system.processes.landlock import landlock_version
from subpixel.system.processes.seccomp import CALL_TABLES, can_filter_calls

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux takes such things away")

needs_landlock = pytest.mark.skipif(not landlock_version(), reason="this kernel has no Landlock")
needs_seccomp = pytest.mark.skipif(not can_filter_calls(), reason="no seccomp filter here")

CONFINED = """
import ctypes, os, resource, signal, socket, sys, threading, time
from pathlib import Path
from subpixel.system.processes.confinement import ProcessLimits, confine
allowed, other, folder = map(Path, sys.argv[1:4])
descriptor = os.open(allowed, os.O_RDWR)
confine(ProcessLimits(64 << 20, 1, 0), [allowed])
try:
    {}
except OSError as error:
    print(type(error).__name__)
except MemoryError:
    print("MemoryError")
else:
    print("done")
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "allowed").write_text("it")
    (tmp_path / "other").write_text("secret")
    return tmp_path


def run_confined(place: Path, line: str) -> str:
    command = [sys.executable, "-c", CONFINED.format(line)]
    files = [str(place / name) for name in ("allowed", "other", "folder")]
    end = subprocess.run([*command, *files], capture_output=True, text=True, timeout=60)
    return end.stdout.strip() or str(end.returncode)


@pytest.mark.parametrize(
    "line",
    [
        "assert allowed.read_text() == 'it'",
        "thread = threading.Thread(target=print); thread.start(); thread.join()",
        "assert len(bytes(16 << 20)) == 16 << 20",
    ],
)
def test_what_is_left(place: Path, line: str) -> None:
    assert run_confined(place, line).endswith("done")


@needs_landlock
@pytest.mark.parametrize(
    "line",
    [
        "other.read_text()",
        "os.listdir(other.parent)",
        "open('/etc/passwd')",
        "open('/proc/self/maps')",
    ],
)
def test_no_other_file(place: Path, line: str) -> None:
    assert run_confined(place, line) == "PermissionError"


@needs_seccomp
@pytest.mark.parametrize(
    "line",
    [
        "allowed.open('r+')",
        "folder.mkdir()",
        "allowed.unlink()",
        "allowed.rename(other)",
        "allowed.chmod(0o777)",
        "os.utime(allowed)",
        "os.truncate(allowed, 0)",
        "os.setxattr(allowed, 'user.a', b'b')",
        "socket.socket()",
        "socket.socket(socket.AF_UNIX)",
        "socket.socketpair()",
        "os.fork()",
        "os.posix_spawn('/bin/true', ['true'], {})",
        "os.execv('/bin/true', ['true'])",
        "os.kill(os.getppid(), 0)",
        "os.kill(os.getppid(), 9)",
        "os.memfd_create('x')",
        "resource.prlimit(0, resource.RLIMIT_DATA, (1 << 40, 1 << 40))",
        "os.setpriority(os.PRIO_PROCESS, 0, 5)",
    ],
)
def test_no_change_network_or_process(place: Path, line: str) -> None:
    assert run_confined(place, line) == "PermissionError"
    assert (place / "allowed").read_text() == "it"


@needs_seccomp
def test_young_system_calls_are_unknown(place: Path) -> None:
    line = (
        "libc = ctypes.CDLL(None, use_errno=True); "
        "assert [libc.syscall(n, 0, 0, 0) for n in (424, 425, 434, 435, 442)] == [-1] * 5; "
        "assert ctypes.get_errno() == 38"
    )
    assert run_confined(place, line) == "done"


def test_nothing_is_written_to_open_files(place: Path) -> None:
    assert run_confined(place, "os.write(descriptor, b'x')") == "OSError"


def test_limits(place: Path) -> None:
    assert run_confined(place, "bytearray(200 << 20)") == "MemoryError"
    assert run_confined(place, "[os.dup(0) for _ in range(99)]") == "OSError"
    assert (
        run_confined(place, "assert resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)") == "done"
    )


@pytest.mark.slow
def test_processor_time_is_limited(place: Path) -> None:
    assert run_confined(place, "for _ in iter(int, 1): pass") == "-24"  # SIGXCPU


@pytest.mark.parametrize(
    ("machine", "header"),
    [
        ("x86_64", "/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
        ("aarch64", "/usr/include/asm-generic/unistd.h"),
    ],
)
def test_the_kernels_own_numbers(machine: str, header: str) -> None:
    if not Path(header).exists():
        pytest.skip(f"needs {header}, of linux-libc-dev")
    rows = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)$", Path(header).read_text(), re.M)
    numbers = {name: int(number) for name, number in rows}
    table = CALL_TABLES[machine]
    assert dict(table.refusals) == {name: numbers[name] for name in table.refusals}
    assert (table.clone, table.tgkill) == (numbers["clone"], numbers["tgkill"])
    assert table.prlimit == numbers["prlimit64"]
    opening = {"open": 1, "openat": 2}
    assert table.opening == {numbers[n]: a for n, a in opening.items() if n in numbers}


def test_both_processors_lose_the_same() -> None:
    old = {
        "fork",
        "vfork",
        "creat",
        "link",
        "unlink",
        "symlink",
        "chmod",
        "chown",
        "lchown",
        "utime",
    }
    old |= {"utimes", "futimesat", "mknod", "inotify_init", "mkdir", "rmdir", "rename"}
    old |= {"iopl", "ioperm", "modify_ldt"}
    assert set(CALL_TABLES["x86_64"].refusals) - set(CALL_TABLES["aarch64"].refusals) == old


def test_what_lacks_is_said() -> None:
    assert str(Confinement(forks=True, landlock=7, seccomp=True)) == "yes"
    assert "no Landlock" in str(Confinement(forks=True, landlock=0, seccomp=True))
    assert "network" in str(Confinement(forks=True, landlock=1, seccomp=False))
    assert str(Confinement(forks=False, landlock=0, seccomp=False)).startswith("no")
    assert describe_confinement().forks
    assert describe_confinement().seccomp == (
        can_filter_calls() and platform.machine() in CALL_TABLES
    )

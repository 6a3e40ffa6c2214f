"""What a process that meets untrusted data gives up before it does: files, the network, memory."""

import ctypes
import math
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from subpixel.system.processes.children import PR_SET_PDEATHSIG, limit_memory
from subpixel.system.processes.landlock import landlock_version, restrict_files
from subpixel.system.processes.seccomp import can_filter_calls, filter_calls

PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS = 4, 38

MAX_OPEN_FILES = 64
"""As many as a decoder may hold open."""

THREAD_SPACE = 144 << 20
"""Address space that a thread sets aside: its stack, twice glibc's arena, as it is aligned."""


@dataclass(frozen=True)
class Confinement:
    """What this machine's kernel can take away from a process."""

    forks: bool
    """Whether processes can be started, and limited, at all in the way that is needed."""
    landlock: int
    """Version of Landlock: files but the one in question; 0: none."""
    seccomp: bool
    """Whether system calls are filtered: network, other processes, changes of files."""

    def __str__(self) -> str:
        if not self.forks:
            return "no: it needs Linux"
        gaps = [] if self.landlock else ["no Landlock: a decoder could read further files"]
        if not self.seccomp:
            gaps.append("no seccomp filter: a decoder could reach the network")
        return f"in part ({'; '.join(gaps)})" if gaps else "yes"


def describe_confinement() -> Confinement:
    """Ask the kernel."""
    return Confinement(sys.platform == "linux", landlock_version(), can_filter_calls())


@dataclass(frozen=True)
class ProcessLimits:
    """What a process may take."""

    memory: int
    """Bytes beside what it holds already."""
    seconds: int
    """Of processor time from now on, all threads together."""
    file_bytes: int
    """Bytes of files that it may see as memory."""


def follow_parent(parent: int) -> None:
    """Let the kernel kill this process when the process ``parent`` ends, which started it and has
    but one thread; at once where it did already."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, 9)
    if os.getppid() != parent:
        os._exit(1)


def stop_following_parent() -> None:
    """Undo :func:`follow_parent`."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, 0)


def confine(limits: ProcessLimits, readable: Sequence[Path]) -> None:
    """Give up for good whatever the kernel lets this process give up, but reading ``readable``
    files. It must have one thread. Raises :class:`OSError`."""
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _set_limits(limits)
    if landlock_version():
        restrict_files(readable)
    if can_filter_calls():
        filter_calls()


def _set_limits(limits: ProcessLimits) -> None:
    import resource

    threads = 2 * (os.cpu_count() or 1) + 8
    space = limits.memory + limits.file_bytes + threads * THREAD_SPACE
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_FSIZE, 0)
    _lower(resource.RLIMIT_NOFILE, MAX_OPEN_FILES)
    _lower(resource.RLIMIT_AS, _address_space() + space)
    limit_memory(limits.memory)
    _lower(resource.RLIMIT_DATA, resource.getrlimit(resource.RLIMIT_DATA)[0])
    seconds = math.ceil(time.process_time()) + limits.seconds
    seconds = min(seconds, _hard_limit(resource.RLIMIT_CPU) - 1)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))  # SIGXCPU, then SIGKILL


def _lower(kind: int, most: int) -> None:
    import resource

    most = min(most, _hard_limit(kind))
    resource.setrlimit(kind, (most, most))


def _hard_limit(kind: int) -> int:
    import resource

    hard = resource.getrlimit(kind)[1]
    return sys.maxsize if hard == resource.RLIM_INFINITY else hard


def _address_space() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")

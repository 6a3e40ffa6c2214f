"""seccomp: a filter of system calls, by which this process gives up the network, other processes
and every change of a file.

seccomp(2) with a program for the kernel's classic BPF. What is taken away is refused with an error,
so that a library which asks for it goes on without.
"""

import ctypes
import errno
import os
import platform
import struct
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

PR_SET_SECCOMP, PR_GET_SECCOMP, SECCOMP_MODE_FILTER = 22, 21, 2

NEWER_CALLS = 424
"""From this number on system calls are younger than Linux 5.1 and numbered alike on all processors:
io_uring, pidfds, mounts. Libraries do without them, clone3 too, whose flags a filter can't see."""

X32_CALLS = 0x40000000
"""From this number on, calls of x86-64's second interface."""

CLONE_THREAD = 0x00010000
CHANGING_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_LOAD, _IF_EQUAL, _IF_AT_LEAST, _IF_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _MACHINE, _ARGUMENTS = 0, 4, 16
"""Where ``struct seccomp_data`` has the call, the processor, and the arguments, 8 bytes each."""

_X86_64 = {
    # the network
    "socket": 41,
    "connect": 42,
    "accept": 43,
    "sendto": 44,
    "recvfrom": 45,
    "sendmsg": 46,
    "recvmsg": 47,
    "bind": 49,
    "listen": 50,
    "socketpair": 53,
    "accept4": 288,
    "recvmmsg": 299,
    "sendmmsg": 307,
    # other processes
    "fork": 57,
    "vfork": 58,
    "execve": 59,
    "kill": 62,
    "ptrace": 101,
    "tkill": 200,
    "process_vm_readv": 310,
    "process_vm_writev": 311,
    "kcmp": 312,
    "execveat": 322,
    "rt_sigqueueinfo": 129,
    "rt_tgsigqueueinfo": 297,
    "setpriority": 141,
    "setpgid": 109,
    "setsid": 112,
    "sched_setparam": 142,
    "sched_setscheduler": 144,
    "sched_setattr": 314,
    "ioprio_set": 251,
    "migrate_pages": 256,
    "move_pages": 279,
    # memory that others see
    "shmget": 29,
    "shmat": 30,
    "shmctl": 31,
    "semget": 64,
    "semop": 65,
    "semctl": 66,
    "msgget": 68,
    "msgsnd": 69,
    "msgrcv": 70,
    "msgctl": 71,
    "semtimedop": 220,
    "mq_open": 240,
    "mq_unlink": 241,
    "memfd_create": 319,
    "userfaultfd": 323,
    # changes of files
    "truncate": 76,
    "ftruncate": 77,
    "chdir": 80,
    "fchdir": 81,
    "rename": 82,
    "mkdir": 83,
    "rmdir": 84,
    "creat": 85,
    "link": 86,
    "unlink": 87,
    "symlink": 88,
    "chmod": 90,
    "fchmod": 91,
    "chown": 92,
    "fchown": 93,
    "lchown": 94,
    "utime": 132,
    "mknod": 133,
    "setxattr": 188,
    "lsetxattr": 189,
    "fsetxattr": 190,
    "removexattr": 197,
    "lremovexattr": 198,
    "fremovexattr": 199,
    "utimes": 235,
    "inotify_init": 253,
    "mkdirat": 258,
    "mknodat": 259,
    "fchownat": 260,
    "futimesat": 261,
    "unlinkat": 263,
    "renameat": 264,
    "linkat": 265,
    "symlinkat": 266,
    "fchmodat": 268,
    "utimensat": 280,
    "fallocate": 285,
    "inotify_init1": 294,
    "fanotify_init": 300,
    "name_to_handle_at": 303,
    "open_by_handle_at": 304,
    "renameat2": 316,
    # the machine, and privileges
    "setuid": 105,
    "setgid": 106,
    "setreuid": 113,
    "setregid": 114,
    "setgroups": 116,
    "setresuid": 117,
    "setresgid": 119,
    "setfsuid": 122,
    "setfsgid": 123,
    "capset": 126,
    "personality": 135,
    "modify_ldt": 154,
    "pivot_root": 155,
    "adjtimex": 159,
    "setrlimit": 160,
    "chroot": 161,
    "acct": 163,
    "settimeofday": 164,
    "mount": 165,
    "umount2": 166,
    "swapon": 167,
    "swapoff": 168,
    "reboot": 169,
    "sethostname": 170,
    "setdomainname": 171,
    "iopl": 172,
    "ioperm": 173,
    "init_module": 175,
    "delete_module": 176,
    "quotactl": 179,
    "syslog": 103,
    "clock_settime": 227,
    "kexec_load": 246,
    "add_key": 248,
    "request_key": 249,
    "keyctl": 250,
    "unshare": 272,
    "splice": 275,
    "tee": 276,
    "vmsplice": 278,
    "perf_event_open": 298,
    "clock_adjtime": 305,
    "setns": 308,
    "finit_module": 313,
    "kexec_file_load": 320,
    "bpf": 321,
    "io_setup": 206,
    "io_submit": 209,
}
"""The numbers of what is taken away, asm/unistd_64.h."""

_AARCH64 = {
    "socket": 198,
    "socketpair": 199,
    "bind": 200,
    "listen": 201,
    "accept": 202,
    "connect": 203,
    "sendto": 206,
    "recvfrom": 207,
    "sendmsg": 211,
    "recvmsg": 212,
    "accept4": 242,
    "recvmmsg": 243,
    "sendmmsg": 269,
    "execve": 221,
    "kill": 129,
    "ptrace": 117,
    "tkill": 130,
    "process_vm_readv": 270,
    "process_vm_writev": 271,
    "kcmp": 272,
    "execveat": 281,
    "rt_sigqueueinfo": 138,
    "rt_tgsigqueueinfo": 240,
    "setpriority": 140,
    "setpgid": 154,
    "setsid": 157,
    "sched_setparam": 118,
    "sched_setscheduler": 119,
    "sched_setattr": 274,
    "ioprio_set": 30,
    "migrate_pages": 238,
    "move_pages": 239,
    "shmget": 194,
    "shmctl": 195,
    "shmat": 196,
    "semget": 190,
    "semctl": 191,
    "semtimedop": 192,
    "semop": 193,
    "msgget": 186,
    "msgctl": 187,
    "msgrcv": 188,
    "msgsnd": 189,
    "mq_open": 180,
    "mq_unlink": 181,
    "memfd_create": 279,
    "userfaultfd": 282,
    "truncate": 45,
    "ftruncate": 46,
    "fallocate": 47,
    "chdir": 49,
    "fchdir": 50,
    "fchmod": 52,
    "fchmodat": 53,
    "fchownat": 54,
    "fchown": 55,
    "mknodat": 33,
    "mkdirat": 34,
    "unlinkat": 35,
    "symlinkat": 36,
    "linkat": 37,
    "renameat": 38,
    "renameat2": 276,
    "utimensat": 88,
    "setxattr": 5,
    "lsetxattr": 6,
    "fsetxattr": 7,
    "removexattr": 14,
    "lremovexattr": 15,
    "fremovexattr": 16,
    "inotify_init1": 26,
    "fanotify_init": 262,
    "name_to_handle_at": 264,
    "open_by_handle_at": 265,
    "setuid": 146,
    "setgid": 144,
    "setreuid": 145,
    "setregid": 143,
    "setgroups": 159,
    "setresuid": 147,
    "setresgid": 149,
    "setfsuid": 151,
    "setfsgid": 152,
    "capset": 91,
    "personality": 92,
    "pivot_root": 41,
    "adjtimex": 171,
    "setrlimit": 164,
    "chroot": 51,
    "acct": 89,
    "settimeofday": 170,
    "mount": 40,
    "umount2": 39,
    "swapon": 224,
    "swapoff": 225,
    "reboot": 142,
    "sethostname": 161,
    "setdomainname": 162,
    "init_module": 105,
    "delete_module": 106,
    "quotactl": 60,
    "syslog": 116,
    "clock_settime": 112,
    "kexec_load": 104,
    "add_key": 217,
    "request_key": 218,
    "keyctl": 219,
    "unshare": 97,
    "splice": 76,
    "tee": 77,
    "vmsplice": 75,
    "perf_event_open": 241,
    "clock_adjtime": 266,
    "setns": 268,
    "finit_module": 273,
    "kexec_file_load": 294,
    "bpf": 280,
    "io_setup": 0,
    "io_submit": 2,
}
"""The same, asm-generic/unistd.h, which has fewer calls."""


@dataclass(frozen=True)
class CallTable:
    """The system calls of a processor."""

    machine: int
    """AUDIT_ARCH of linux/audit.h."""
    refusals: Mapping[str, int]
    clone: int
    tgkill: int
    prlimit: int
    opening: Mapping[int, int]
    """Of each call that opens a file, the argument that has its flags, from 0."""


CALL_TABLES = {
    "x86_64": CallTable(
        0xC000003E, _X86_64, clone=56, tgkill=234, prlimit=302, opening={2: 1, 257: 2}
    ),
    "aarch64": CallTable(0xC00000B7, _AARCH64, clone=220, tgkill=131, prlimit=261, opening={56: 2}),
}
"""By :func:`platform.machine`."""


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_char_p))


def can_filter_calls() -> bool:
    """Whether the kernel filters system calls, and which those are is known for this processor."""
    if sys.platform != "linux" or platform.machine() not in CALL_TABLES:
        return False
    return sys.maxsize > 1 << 32 and ctypes.CDLL(None).prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0


def filter_calls() -> None:
    """Take them away from this thread and those that it starts, for good. Needs
    :func:`can_filter_calls`, and PR_SET_NO_NEW_PRIVS. Raises :class:`OSError`."""
    steps = b"".join(_write_program(CALL_TABLES[platform.machine()], os.getpid()))
    program = _Program(len(steps) // 8, steps)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0):
        code = ctypes.get_errno()
        raise OSError(code, f"seccomp: {os.strerror(code)}")


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _refuse(code: int) -> bytes:
    return _step(_RETURN, _ERRNO | code)


def _write_program(table: CallTable, pid: int) -> Iterator[bytes]:
    """Each step is 8 bytes; a jump counts the steps behind it that are passed over."""
    yield _step(_LOAD, _MACHINE)
    yield _step(_IF_EQUAL, table.machine, 1, 0)
    yield _step(_RETURN, _KILL)
    yield _step(_LOAD, _NUMBER)
    yield _step(_IF_AT_LEAST, NEWER_CALLS, 0, 1)  # X32_CALLS are beyond, too
    yield _refuse(errno.ENOSYS)
    yield from _check_argument(table.clone, 0, _step(_IF_ANY_BIT, CLONE_THREAD, 1, 0))
    yield from _check_argument(table.tgkill, 0, _step(_IF_EQUAL, pid, 1, 0))
    yield from _expect_null(table.prlimit, 2)  # limits are read, not set: root could raise them
    for number, argument in table.opening.items():
        yield from _check_argument(number, argument, _step(_IF_ANY_BIT, CHANGING_FLAGS, 0, 1))
    for number in sorted(set(table.refusals.values())):
        yield _step(_IF_EQUAL, number, 0, 1)
        yield _refuse(errno.EPERM)
    yield _step(_RETURN, _ALLOW)


def _expect_null(number: int, argument: int) -> Iterator[bytes]:
    """A call is refused unless that argument, of 64 bits, is 0."""
    yield _step(_IF_EQUAL, number, 0, 6)
    yield _step(_LOAD, _ARGUMENTS + 8 * argument)
    yield _step(_IF_EQUAL, 0, 0, 2)
    yield _step(_LOAD, _ARGUMENTS + 8 * argument + 4)
    yield _step(_IF_EQUAL, 0, 1, 0)
    yield _refuse(errno.EPERM)
    yield _step(_LOAD, _NUMBER)


def _check_argument(number: int, argument: int, passes: bytes) -> Iterator[bytes]:
    """A call is refused unless its argument's lower half passes, which jumps over the refusal."""
    yield _step(_IF_EQUAL, number, 0, 4)
    yield _step(_LOAD, _ARGUMENTS + 8 * argument)
    yield passes
    yield _refuse(errno.EPERM)
    yield _step(_LOAD, _NUMBER)

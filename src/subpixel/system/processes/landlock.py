"""Landlock (Linux 5.13 and later): this process gives up every file but those that are named.

Plain system calls, landlock(7); their numbers are the same on all processors.
"""

import ctypes
import os
import sys
from collections.abc import Iterable
from pathlib import Path

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
CREATE_RULESET_VERSION = 1
RULE_PATH_BENEATH = 1
READ_FILE = 1 << 2

_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""How many rights over files each version knows, the lowest bits; later ones as the last."""
_BIND_TCP, _CONNECT_TCP = 1, 2
_SCOPE_SOCKETS, _SCOPE_SIGNALS = 1, 2


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("rights", ctypes.c_uint64), ("fd", ctypes.c_int32))


def landlock_version() -> int:
    """Of the kernel's interface; 0 where it has none, or it is off."""
    if sys.platform != "linux":
        return 0
    return max(0, _call(CREATE_RULESET, None, 0, CREATE_RULESET_VERSION))


def restrict_files(readable: Iterable[Path]) -> None:
    """Let this thread, and those that it starts, open no file but ``readable`` ones, for reading;
    connect to nobody, and signal nobody outside. Needs :func:`landlock_version` of 1 or more, and
    no privileges that a program could gain (PR_SET_NO_NEW_PRIVS). Raises :class:`OSError`."""
    version = landlock_version()
    ruleset = _expect_success(_call(CREATE_RULESET, *_describe_rights(version), 0))
    try:
        for file in readable:
            _allow_reading(ruleset, file)
        _expect_success(_call(RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)


def _describe_rights(version: int) -> tuple[object, int]:
    """All that a version can take away, and the size of that structure in it."""
    files = (1 << _FILE_RIGHTS.get(version, 16)) - 1
    size = 8 if version < 4 else 16 if version < 6 else 24
    attributes = _Ruleset(files, _BIND_TCP | _CONNECT_TCP, _SCOPE_SOCKETS | _SCOPE_SIGNALS)
    return ctypes.byref(attributes), size


def _allow_reading(ruleset: int, file: Path) -> None:
    fd = os.open(file, os.O_PATH | os.O_CLOEXEC)
    try:
        rule = _PathBeneath(READ_FILE, fd)
        _expect_success(_call(ADD_RULE, ruleset, RULE_PATH_BENEATH, ctypes.byref(rule), 0))
    finally:
        os.close(fd)


def _call(number: int, *arguments: object) -> int:
    words = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    return int(ctypes.CDLL(None, use_errno=True).syscall(ctypes.c_long(number), *words))


def _expect_success(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"Landlock: {os.strerror(code)}")
    return result

"""The processor cores that there are to compute on."""

import os

import psutil


def cores() -> int:
    """Physical cores that this process may run on: two threads of one core share its arithmetic."""
    allowed = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        allowed = len(os.sched_getaffinity(0))
    return max(1, min(allowed, psutil.cpu_count(logical=False) or allowed))

"""Runs a command and writes a line of JSON: its exit code, seconds and peak memory in bytes.

    python benchmarks/launcher.py OUTPUT COMMAND …

OUTPUT is the file for what the command prints. Linux counts the memory of the process that starts
another as the other's own, until it runs its own program; so the peak is taken from a start by a
process as small as this one, whatever the caller holds.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes in which the operating system counts ``ru_maxrss``."""


def main() -> None:
    began = time.perf_counter()
    with Path(sys.argv[1]).open("wb") as output:
        process = subprocess.Popen(sys.argv[2:], stdout=output)
        _, status, usage = os.wait4(process.pid, 0)
    facts = {
        "code": os.waitstatus_to_exitcode(status),
        "seconds": time.perf_counter() - began,
        "processor_seconds": usage.ru_utime + usage.ru_stime,
        "peak": usage.ru_maxrss * UNIT,
    }
    print(json.dumps(facts))


if __name__ == "__main__":
    main()

"""Children end with their parent, at a limit of time, and get no more memory than they may."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from subpixel.system.processes.children import run_child

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals and limits")


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_how_it_ended_is_said(tmp_path: Path) -> None:
    good = run_child(python("pass"), tmp_path, 60)
    assert (good.code, good.last_line) == (0, "")
    bad = run_child(python("import sys; sys.exit('first\\nlast words')"), tmp_path, 60)
    assert bad.describe() == "ended with exit code 1: last words"
    killed = run_child(python("import os; os.kill(os.getpid(), 11)"), tmp_path, 60)
    assert killed.describe() == "crashed on this network: Segmentation fault"


def test_the_limit_of_time_ends_it(tmp_path: Path) -> None:
    code = f"import os, time; open(r'{tmp_path}/pid', 'w').write(str(os.getpid())); time.sleep(600)"
    with pytest.raises(subprocess.TimeoutExpired):
        run_child(python(code), tmp_path, 2)
    number = int((tmp_path / "pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)


LIMITED = """
from subpixel.system.processes.children import limit_memory
limit_memory(100 << 20)
bytes(50 << 20)
try:
    bytearray(200 << 20)
except MemoryError:
    raise SystemExit(7)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts data by RLIMIT_DATA")
def test_memory_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    assert run_child(python(LIMITED), tmp_path, 60).code == 7


PARENT = """
import sys
from pathlib import Path
from subpixel.system.processes.children import run_child
run_child([sys.executable, "-c", sys.argv[1]], Path(sys.argv[2]), 600)
"""
CHILD = """
import os, time
from subpixel.system.processes.children import end_with_parent
end_with_parent()
print(os.getpid(), file=open("{file}", "w"), flush=True)
{work}
"""


@pytest.mark.parametrize("work", ["time.sleep(600)", "while True: pass"])
def test_a_child_ends_with_its_parent(tmp_path: Path, work: str) -> None:
    file = tmp_path / "pid"
    command = [*python(PARENT), CHILD.format(file=file, work=work), str(tmp_path)]
    with subprocess.Popen(command) as parent:
        for _ in range(600):
            if file.exists() and file.read_text().endswith("\n"):
                break
            time.sleep(0.05)
        parent.kill()
    time.sleep(2)
    assert not is_running(int(file.read_text()))


def is_running(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{number}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"

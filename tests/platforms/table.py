"""Every bundled network on every platform: the same sha256, or how far off.

    python tests/platforms/table.py                               # what is missing, then the page
    python tests/platforms/table.py --only python arm node wasm   # all whose key begins so
    python tests/platforms/table.py --only nothing                # the page alone
    python tests/platforms/table.py --networks fast-int8-x3 --again

Each platform is set up from packages, run, and compared with what NumPy alone computes. What was
seen joins docs/platforms.json, from which docs/platforms.md is written; what is there, of the very
same file, is not run again, and what was seen of another file of the name is
dropped. A platform that can't be set up here is left out, and its reason kept.
"""

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import onnxruntime
import pytest

ROOT = Path(__file__).resolve().parents[2]
if __name__ == "__main__":  # as pyproject.toml tells pytest
    sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests" / "fixtures")]
    folders = os.pathsep.join(sys.path[:2])
    os.environ["PYTHONPATH"] = os.pathsep.join([folders, os.environ.get("PYTHONPATH", "")])

from places import here, javascript, phones, services, triton, windows
from places.jobs import Case, expect, list_cases
from places.page import write_page
from places.place import Place
from places.rows import Records, Skip, make_row, read_records, write_records
from systems import environments

RECORDS = ROOT / "docs" / "platforms.json"
PAGE = ROOT / "docs" / "platforms.md"
PLACES: Sequence[Place] = [
    *here.list_places(),
    *phones.list_places(),
    *windows.list_places(),
    *javascript.list_places(),
    *services.list_places(),
    *triton.list_places(),
]
KEYS = [place.key for place in PLACES]
NEVER = (Skip("phone", "an Android or Apple phone: aarch64, ORT format, ExecuTorch stand for it"),)
"""What no machine of ours can show."""


def describe_system() -> str:
    """The runtime here, and the processor: others run emulated on it, or in its browser."""
    names = [line for line in _processor_lines() if line.startswith("model name")]
    processor = names[0].partition(":")[2].strip() if names else platform.processor()
    return f"onnxruntime {onnxruntime.__version__}, {platform.system()}, {processor}"


def _processor_lines() -> Sequence[str]:
    file = Path("/proc/cpuinfo")
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


def fill(place: Place, cases: Sequence[Case], records: Records) -> Records:
    """``records`` with what is seen of ``cases`` at ``place``, kept as it comes."""
    if not cases:
        return records
    if reason := place.lack():
        return records.with_skip(Skip(place.key, reason))
    try:
        with tempfile.TemporaryDirectory(prefix="subpixel-") as folder:
            for case, codes in place.run(cases, Path(folder)):
                wanted = expect(case, environments.CACHE / "expected")
                row = make_row(place.key, case, codes, wanted, describe_system())
                print(f"  {row.network}: {row.largest} ({row.differing} values)", flush=True)
                records = records.with_row(row)
                write_records(RECORDS, records, KEYS)
    except pytest.skip.Exception as reason:
        return records.with_skip(Skip(place.key, str(reason)))
    except Exception as error:  # of any tool; the other platforms go on
        print(f"  {type(error).__name__}: {error}", flush=True)
        return records.with_skip(Skip(place.key, f"failed here: {str(error).splitlines()[0]}"))
    return records


def main() -> int:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--only", nargs="+", metavar="KEY", help=", ".join(KEYS))
    options.add_argument("--networks", nargs="+", metavar="NAME", default=[], help="fast-int8-x3")
    options.add_argument("--again", action="store_true", help="also what was seen already")
    choice = options.parse_args()
    records, cases = read_records(RECORDS).of_files(list_cases()), list_cases(choice.networks)
    for place in PLACES:
        if choice.only is None or place.key.startswith(tuple(choice.only)):
            new = [c for c in cases if choice.again or not records.has(place.key, c)]
            new = [case for case in new if place.takes(case)]
            print(f"{place.title}: {len(new)} networks", flush=True)
            records = fill(place, new, records)
    for skip in NEVER:
        records = records.with_skip(skip)
    write_records(RECORDS, records, KEYS)
    PAGE.write_text(write_page(PLACES, records), encoding="utf-8")
    exact = {place.key for place in PLACES if place.exact}
    wrong = [r for r in records.rows if r.platform in exact and "-int8-" in r.network]
    return 1 if any(not row.equal for row in wrong) else 0


if __name__ == "__main__":
    sys.exit(main())

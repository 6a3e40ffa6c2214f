"""Tries every file of a table of the corpus, and prints what came of each, as JSON.

python -m tests.robustness.corpus.check pictures [NAME...]
"""

import json
import sys

import tests.robustness.__main__  # noqa: F401 - one thread each, and where fixtures lie
from tests.robustness.campaign import import_libraries
from tests.robustness.case import CaseEnd
from tests.robustness.corpus.table import corpus_kind
from tests.robustness.kinds import Kind, list_seeds
from tests.robustness.watch import run_batch_watched


def main() -> None:
    """All of a table, or those that are named."""
    table, *wanted = sys.argv[1:]
    kind = corpus_kind(table)
    import_libraries([kind])
    names = [seed.name for seed in list_seeds(kind)]
    numbers = [n for n, name in enumerate(names) if not wanted or name in wanted]
    ends = {names[number]: describe(end) for number, end in try_files(kind, numbers).items()}
    json.dump(ends, sys.stdout, indent=1)


def try_files(kind: Kind, numbers: list[int]) -> dict[int, CaseEnd]:
    """What came of each; after one that ends its process the next has a new one."""
    ends: dict[int, CaseEnd] = {}
    for number in numbers:
        if number not in ends:
            following = next(n for n in range(number, numbers[-1] + 2) if n not in numbers)
            for end in run_batch_watched(kind, 0, number, following - number, 3600):
                ends[end.number] = end
    return ends


def describe(end: CaseEnd) -> dict[str, object]:
    """For a table: megabytes, and seconds of processor time."""
    faults = [[fault.kind, fault.signature, fault.detail] for fault in end.verdict.faults]
    word, detail = end.verdict.word, end.verdict.detail[:300]
    return {
        "word": word, "detail": detail, "faults": faults,
        "peak": end.peak >> 20, "cpu": round(end.cpu, 2),
    }  # fmt: skip


if __name__ == "__main__":
    main()

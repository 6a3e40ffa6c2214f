"""The text and the tables of docs/performance.md."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import performance_plots
from interleaved import Cell, ratio
from machine import GIBIBYTE, MEBIBYTE
from measurements import Measurements
from network_files import CHECKED, SCALE
from peers import BASE, COPIED, COPY, FLOOR, PEERS, PRODUCT, PRODUCT_INT8, PRODUCTS, TUTORIAL
from whole_process import MINIMUM, MINIMUM_DEFAULT, OURS, OURS_DEFAULT

from subpixel.zoo.manifest import DEFAULT_NETWORK

MEGA, GIGA = 1e6, 1e9
QUIET = 0.5
"""Load average up to which a machine has nothing else to do."""
TABLED = (512, 2048, 8192)
HEADLINE = 512
OUTPUT_BYTES = 3 * (1 + SCALE**2)
"""That an RGB picture of 8 bits and its enlargement have, per pixel of the small one."""

HEAD = """\
# Performance

<!-- Written by benchmarks/performance.py: change that, not this. -->

{machine}; {day}.

Every figure is a ratio, or stands beside what it can be compared with, from one run in which the
rows took turns: the median over the rounds of the ratio within the round, so that a machine that
is slower for a while is slower for all. ×{scale} throughout. Each row has a process of its own with
at most {memory:.1f} GiB of address space, and a share of time; where that was not enough its cell
says so. Times depend on the machine; run it on yours:

<!-- not run: needs benchmark data -->
```sh
python benchmarks/performance.py --data FOLDER
```

The run took {minutes:.0f} minutes{busy}.
Its raw figures are in [performance.json](performance.json).
"""


def write_page(found: Measurements, folder: Path) -> None:
    """``performance.md`` and its plots."""
    performance_plots.write(found, folder)
    parts = [_head(found), *(part(found) for part in PARTS)]
    (folder / "performance.md").write_text("\n".join(parts), "utf-8")


def _head(found: Measurements) -> str:
    busy = f"; **others were at work**: the load average was {found.load:.1f} when it began"
    return HEAD.format(
        machine=found.machine,
        day=found.day,
        scale=SCALE,
        memory=found.memory / GIBIBYTE,
        minutes=found.minutes,
        busy=busy if found.load > QUIET else "",
    )


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _sides(found: Measurements, wanted: Sequence[int] = TABLED) -> list[int]:
    return [side for side in wanted if side in found.pictures]


def _names(*kinds: str) -> list[str]:
    return [name for name, peer in PEERS.items() if peer.kind in kinds]


def _shown(name: str) -> str:
    network, comma, how = name.partition(",")
    return f"`{network}`{comma}{how}" if PEERS[name].kind == "bundled" else name


def _times_faster(name: str, to: str, side: int, found: Measurements) -> str:
    """Against ``to`` at this size; where that failed, against its pace at the last it managed."""
    cells = found.pictures[side]
    if not cells[name]:
        return cells[name].fault or "–"
    if cells[to]:
        return f"{ratio(cells[to], cells[name]):.2f}"
    pace = [c[to].seconds / s**2 for s, c in found.pictures.items() if c[to]][-1]
    return f"({pace * side**2 / cells[name].seconds:.2f})"


def _same_network(found: Measurements) -> str:
    rows = [
        [
            name,
            PEERS[name].precision,
            *(_times_faster(name, BASE, side, found) for side in _sides(found)),
            f"{found.psnr[name]:.0f}" if name in found.psnr else "",
        ]
        for name in _names("subpixel", "tutorial", "peer")
    ]
    sizes = [f"{side}²" for side in _sides(found)]
    return f"""\
## The same network, by subpixel and by others

How many times as fast as ONNX Runtime is with the tutorial's network as the tutorial uses it: an
fp32 session without options, its one-channel file. subpixel's rows and the tutorial's picture part
make an RGB picture of 8 bits out of one; the other rows get luma in float32 and give luma, and so
do less.

{_table(["", "precision", *sizes, "dB from PyTorch"], rows)}
In brackets: ONNX Runtime failed at that size, so its pace at the largest that it managed stands in
for it. *dB from PyTorch*: PSNR of the luma, both cut to 0 … 1; 8-bit pictures can't come nearer
than about 59 dB. "OpenCV dnn" stands for `dnn_superres`, which the wheel of OpenCV does not have.

![Times as fast as ONNX Runtime as the tutorial uses it, at 512²](performance-peers.svg)
"""


def _bundled_networks(found: Measurements) -> str:
    sets = list(found.quality[TUTORIAL])
    rows = [
        [
            _shown(name),
            *(_times_faster(name, TUTORIAL, side, found) for side in _sides(found)),
            *(_better(found, name, s) for s in sets),
        ]
        for name in _names("bundled")
    ]
    sizes = [f"times as fast, {side}²" for side in _sides(found)]
    better = [f"{name}, dB better" for name in sets]
    return f"""\
## The bundled networks against the tutorial's

RGB in memory to RGB in memory, against the tutorial's picture part: its network under ONNX Runtime
on luma, Pillow's bicubic on chroma. Y-PSNR by the literature's protocol.

{_table(["network", *sizes, *better], rows)}
![Quality against time and against multiply-adds](quality-time.svg)
"""


def _better(found: Measurements, name: str, benchmark: str) -> str:
    if name not in found.quality:  # tuned: which file runs is known to `subpixel tune` alone
        return ""
    return f"{found.quality[name][benchmark] - found.quality[TUTORIAL][benchmark]:+.2f}"


def _headline(found: Measurements) -> str:
    cells = found.pictures.get(HEADLINE)
    if not cells:
        return ""
    rows = [
        [_shown(name), f"{ratio(cells[name], cells[FLOOR]):.2f}", _set5(found, name)]
        for name in _names("floor", "bundled", "tutorial")
        if cells[name]
    ]
    exact, rounded = (ratio(cells[name], cells[FLOOR]) for name in ("fast", "fast-int8"))
    return f"""\
## Against interpolation

**`fast-int8` ×{SCALE} takes {rounded:.2f} times as long as Pillow's bicubic** (`fast`:
{exact:.2f}), from {HEADLINE}×{HEADLINE} RGB in memory to RGB in memory.

{_table(["", "times Pillow's bicubic", "Set5, dB"], rows)}"""


def _set5(found: Measurements, name: str) -> str:
    return f"{found.quality[name]['Set5']:.2f}" if name in found.quality else ""


def _big_pictures(found: Measurements) -> str:
    return f"""\
## As pictures grow

Milliseconds per megapixel of the small picture, in memory; flat is the goal.

{_by_size(found, _pace)}
![Time per megapixel as pictures grow](performance-growth.svg)

From JPEG to JPEG, whole processes:

{_files(found)}
## Peak memory

MiB, the largest resident set of each row's process, as the system counts it; picture and result
included, which at 10000² are 3 GB.

{_by_size(found, _peak)}"""


def _by_size(found: Measurements, cell: Callable[[Cell, int], str]) -> str:
    names = _names("subpixel", "bundled", "tutorial", "peer", "floor")
    rows = [[_shown(n), *(cell(c[n], side) for side, c in found.pictures.items())] for n in names]
    return _table(["", *(f"{side}²" for side in found.pictures)], rows)


def _pace(cell: Cell, side: int) -> str:
    return f"{1000 * cell.seconds / (side**2 / MEGA):,.0f}" if cell else cell.fault or "–"


def _peak(cell: Cell, side: int) -> str:  # noqa: ARG001 - a cell's formatters are alike
    return f"{cell.peak / MEBIBYTE:,.0f}" if cell else cell.fault or "–"


def _files(found: Measurements) -> str:
    columns = [
        f"{side**2 / MEGA:.0f} megapixels, {what}"
        for side in found.files
        for what in ("s per megapixel", "peak, MiB")
    ]
    names = list(next(iter(found.files.values()), {}))
    rows = [
        [name, *(text for side, c in found.files.items() for text in _file_cells(c[name], side))]
        for name in names
    ]
    return _table(["", *columns], rows) if rows else ""


def _file_cells(cell: Cell, side: int) -> tuple[str, str]:
    if not cell:
        return cell.fault or "–", "–"
    return f"{cell.seconds / (side**2 / MEGA):.3f}", f"{cell.peak / MEBIBYTE:,.0f}"


def _start_up(found: Measurements) -> str:
    cells = found.processes
    base, own_base = cells[MINIMUM], cells[MINIMUM_DEFAULT]
    bases = {OURS_DEFAULT: own_base, MINIMUM_DEFAULT: own_base}
    rows = [
        [
            name,
            f"{c.seconds:.3f}",
            f"{c.processor_seconds:.3f}",
            f"{ratio(c, bases.get(name, base)):.2f}",
        ]
        for name, c in cells.items()
        if c
    ]
    columns = ["whole process", "median, s", "of processors, s", "times the minimum of its network"]
    return f"""\
## Start-up

Whole processes from start to end, the interpreter's start included: a JPEG of 224×224 to one of
672×672. **`subpixel upscale` takes {ratio(cells[OURS], base):.2f} times the bare minimum** (Python,
NumPy, ONNX Runtime, one run, file in and out by libvips) **with the tutorial's network, and \
{ratio(cells[OURS_DEFAULT], cells[MINIMUM_DEFAULT]):.2f} times with `{DEFAULT_NETWORK}`.**

{_table(columns, rows)}"""


def _machine(found: Measurements) -> str:
    cells = found.pictures.get(HEADLINE)
    if not cells:
        return ""
    fp32 = max(_work_rate(cells[name]) for name in PRODUCTS)
    int8, copied = _work_rate(cells[PRODUCT_INT8]), 2 * COPIED / cells[COPY].seconds
    rows = [
        _machine_row(
            found, name, cells[name], int8 if PEERS[name].precision in ("int8", "tuned") else fp32
        )
        for name in _names("subpixel", "bundled", "tutorial", "peer")
        if cells[name]
    ]
    floors = [[n, "", "", _bandwidth(cells[n], copied)] for n in _names("floor") if cells[n]]
    columns = ["", "Gop/s", "of the product's", "bytes moved, of memcpy's"]
    return f"""\
## How near to what the machine can do

At {HEADLINE}². A product of matrices of {PRODUCT}² makes {fp32 / GIGA:.0f} GFLOP/s in float32
(the better of NumPy and ONNX Runtime) and {int8 / GIGA:.0f} Gop/s in 8-bit integers (ONNX Runtime);
memcpy moves {copied / GIGA:.1f} GB/s, read and written. A multiply-add counts as two. Winograd's
algorithm needs fewer multiplications than are counted, so ncnn and OpenCV may seem to pass the
limit. *Bytes moved* are those of the small and the large RGB picture alone.

{_table(columns, [*rows, *floors])}"""


def _work_rate(cell: Cell) -> float:
    return 2 * PRODUCT**3 / cell.seconds


def _machine_row(found: Measurements, name: str, cell: Cell, peak: float) -> list[str]:
    rate = 2 * found.multiply_adds[name.removesuffix(", tuned")] * HEADLINE**2 / cell.seconds
    copied = 2 * COPIED / found.pictures[HEADLINE][COPY].seconds
    return [
        _shown(name),
        f"{rate / GIGA:.0f}",
        f"{100 * rate / peak:.0f} %",
        _bandwidth(cell, copied) if PEERS[name].kind != "peer" else "",
    ]


def _bandwidth(cell: Cell, copied: float) -> str:
    return f"{100 * OUTPUT_BYTES * HEADLINE**2 / cell.seconds / copied:.1f} %"


def _rounds(found: Measurements) -> str:
    rows = [
        [f"{side}²", str(max((len(cell.runs) for cell in cells.values()), default=0))]
        for side, cells in found.pictures.items()
    ]
    processes = max(len(cell.runs) for cell in found.processes.values())
    return f"""\
## Rounds

{_table(["size", "rounds"], rows)}
Up to 512² each row's process stays, stopped between its turns, and a first run is not counted;
at 1024² each turn is a new process, again with a run that is not counted; above, the first run of
a size counts, after one of {CHECKED}². Whole processes: {processes} rounds, after one that is not
counted.
"""


PARTS = (
    _same_network,
    _bundled_networks,
    _headline,
    _big_pictures,
    _start_up,
    _machine,
    _rounds,
)

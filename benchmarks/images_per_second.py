"""docs/performance-DEVICE.md: images per second on one device, PyTorch's ways beside ours.

Run by `performance.py --device cuda`. PyTorch's rows are the reference's network on luma, on
pictures that lie on the device, or with their way there and back; all other rows take a picture
from memory and bring the larger one back.
"""

from collections.abc import Mapping
from pathlib import Path

from interleaved import Cell, ratio
from machine import machine_line
from peers import BASE, ON_DEVICE
from pictures_in_memory import SIZES, Bounds, Course, measure

LARGEST = 512
ANY = -1
"""Address space: a GPU's driver reserves more than there is memory."""

PAGE = """\
# Images per second: {device}

<!-- Written by benchmarks/performance.py --device {device}: change that, not this. -->

{machine}. Medians of rounds in which the rows took turns; in brackets how many times as fast as
"{base}".

{table}"""


def write_page(folder: Path, device: str, out: Path) -> None:
    """Measure, with the files of networks.py in ``folder``."""
    sizes = [size for size in SIZES if size.side <= LARGEST]
    found = measure(sizes, Bounds(folder, device, ANY), Course(tuple(ON_DEVICE)))
    machine = machine_line("onnxruntime", "onnxruntime-gpu", "torch")
    page = PAGE.format(device=device, machine=machine, base=BASE, table=_table(found))
    (out / f"performance-{device}.md").write_text(page, "utf-8")


def _table(found: Mapping[int, Mapping[str, Cell]]) -> str:
    lines = [["", *(f"{side}²" for side in found)], ["---"] * (1 + len(found))]
    lines += [[name, *(_cell(cells, name) for cells in found.values())] for name in ON_DEVICE]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cell(cells: Mapping[str, Cell], name: str) -> str:
    cell, base = cells[name], cells[BASE]
    if not cell:
        return cell.fault or "–"
    return f"{1 / cell.seconds:.1f}" + (f" ({ratio(base, cell):.2f})" if base else "")

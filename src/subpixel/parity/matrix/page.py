"""A matrix report as one page: everything inside it, nothing fetched, readable anywhere."""

import base64
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape as escape_markup
from importlib import resources
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from subpixel.media.image_file import encode_picture
from subpixel.media.picture import Picture
from subpixel.parity.matrix.matrix import (
    Cell,
    CellOutcome,
    CellResult,
    MatrixReport,
    PropertyResult,
    TaskScore,
    Verdict,
    VisibleDifference,
)
from subpixel.plain_text import escape_controls
from subpixel.spec import Precision
from subpixel.system.session_options import Optimisation

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""Content Security Policy: the browser itself keeps the page from fetching anything."""

NOTE = (
    "Made by subpixel verify --matrix. PSNR is taken between candidate and reference, of peak 1, "
    "before clipping. ‘Not available’ is neither passed nor failed: the execution provider has no "
    "kernels for it here. Where one has no arithmetic of a precision, ONNX Runtime may also "
    "compute parts of the network in fp32 between casts, as its CPU provider does in fp16."
)

_SHOWN: Mapping[Verdict, tuple[str, str]] = {
    "passed": ("passed", "✓ passed"),
    "failed": ("failed", "✗ failed"),
    "not available": ("absent", "– not available"),
}
"""Class and words of a verdict: never told by colour alone."""


def matrix_page(report: MatrixReport, environment: Mapping[str, str]) -> str:
    """The report as HTML, self-contained: style and pictures inside, no script.

    ``environment`` says by name what the machine is and has, to compare pages across machines.
    """
    title = f"{report.candidate} against {report.reference}"
    body = "\n".join(
        (
            _summary(report),
            _matrix_html(report.cells),
            _reasons((*report.cells, *report.properties)),
            _properties_html(report.properties),
            _scores_html(report.scores),
            _spots_html(report),
            _environment(environment),
            _footer(),
        )
    )
    return (
        '<!doctype html>\n<html lang="en-GB">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{_style()}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _style() -> str:
    return (resources.files(__package__) / "page.css").read_text("utf-8")


def _summary(report: MatrixReport) -> str:
    kind, word = ("passed", "✓ Verified") if report else ("failed", "✗ Not verified")
    counts = ", ".join(f"{report.count(verdict)} {verdict}" for verdict in get_args(Verdict))
    said = f"{len(report.cells)} cells and {len(report.properties)} properties: {counts}."
    spec = report.spec
    facts = {
        "Network": f"{spec.architecture} ×{spec.scale}, {spec.interface}, {spec.precision}",
        "fp32 must be": "the same picture as the reference: at most 1 code value of 255 apart",
        "Reduced precision": f"at least {report.floor_db:g} dB from the fp32 file, in every case",
        "Cases": _coverage_html(report),
        **({"Not covered everywhere": "; ".join(report.gaps)} if report.gaps else {}),
    }
    return (
        f"<header><h1>{escape(report.candidate)}</h1>\n"
        f'<p class="soft">compared with {escape(report.reference)}</p></header>\n'
        f'<p class="verdict {kind}"><strong>{word}</strong> <span>{escape(said)}</span></p>\n'
        f"{_list_html(facts)}\n{_precisions_html(report)}"
    )


def _coverage_html(report: MatrixReport) -> str:
    if report.full_grid == report.grid:
        return f"{report.grid} in every cell: each content at each shape of the grid"
    return (
        f"{report.full_grid} where the file's own precision runs at the defaults, "
        f"{report.grid} in every other cell: the dearest are left out"
    )


def escape(text: str) -> str:
    """For HTML's text and attributes; control characters are shown, too."""
    return escape_markup(escape_controls(text, keep_newlines=True))


def _list_html(facts: Mapping[str, str]) -> str:
    rows = "\n".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in facts.items())
    return f"<dl>\n{rows}\n</dl>"


def _precisions_html(report: MatrixReport) -> str:
    """One row per device and precision: the worst of its cells."""
    groups = itertools.groupby(report.cells, key=lambda r: (r.cell.device, r.cell.precision))
    losses = {(score.device, score.precision): score for score in report.scores}
    rows = [_precision(key, list(group), losses.get(key)) for key, group in groups]
    columns = ("Device", "Precision", "Verdict", "Least PSNR", "Furthest apart", "Task PSNR lost")
    return _table("The worst of each precision's cells", columns, rows)


def _precision(
    key: tuple[str, str], results: Sequence[CellResult], score: TaskScore | None
) -> tuple[str, ...]:
    outcomes = [result.outcome for result in results]
    verdict = _worst_verdict(outcomes)
    psnrs = [o.least_psnr for o in outcomes if o.least_psnr is not None]
    codes = [o.max_codes for o in outcomes if o.max_codes is not None]
    return (
        escape(key[0]),
        escape(key[1]),
        _badge(verdict),
        _decibels(min(psnrs)) if psnrs else "",
        _codes_text(max(codes)) if codes else "",
        f"{score.loss:+.3f} dB" if score and score.loss is not None else "",
    )


def _worst_verdict(outcomes: Iterable[CellOutcome]) -> Verdict:
    found = {outcome.verdict for outcome in outcomes}
    order: tuple[Verdict, ...] = ("failed", "passed", "not available")
    return next(verdict for verdict in order if verdict in found)


def _badge(verdict: Verdict) -> str:
    kind, word = _SHOWN[verdict]
    return f'<span class="badge {kind}">{word}</span>'


def _table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """``rows`` are HTML already; their first entry heads its row."""
    heads = "".join(f'<th scope="col">{escape(column)}</th>' for column in columns)
    lines = "\n".join(
        f'<tr><th scope="row">{row[0]}</th>{"".join(f"<td>{entry}</td>" for entry in row[1:])}</tr>'
        for row in rows
    )
    return (
        f"{_open_scroll_box(caption)}<table>\n<caption>{escape(caption)}</caption>\n"
        f"<thead><tr>{heads}</tr></thead>\n<tbody>\n{lines}\n</tbody>\n</table></div>"
    )


def _open_scroll_box(label: str) -> str:
    """Opens a box that a narrow screen scrolls sideways, by keyboard too."""
    return f'<div class="scroll" role="region" aria-label="{escape(label)}" tabindex="0">'


def _matrix_html(results: Sequence[CellResult]) -> str:
    levels = get_args(Optimisation)
    heads = "".join(f'<th scope="col">{escape(level)}</th>' for level in levels)
    groups = itertools.groupby(results, key=lambda r: (r.cell.device, r.cell.precision))
    bodies = "\n".join(_group(key, list(group), levels) for key, group in groups)
    caption = "By how far ONNX Runtime may rewrite the graph"
    return (
        "<h2>The matrix</h2>\n<p>Every cell against its reference: the least PSNR between the two "
        "over all cases, and the largest difference in 8-bit code values.</p>\n"
        f'{_open_scroll_box(caption)}<table class="matrix">\n<caption>{caption}</caption>\n'
        f'<thead><tr><th scope="col">Device, precision</th><th scope="col">Threads</th>{heads}'
        f"</tr></thead>\n{bodies}\n</table></div>"
    )


def _group(
    key: tuple[str, Precision], results: Sequence[CellResult], levels: Sequence[Optimisation]
) -> str:
    threads = list(dict.fromkeys(result.cell.threads for result in results))
    by_way = {(r.cell.threads, r.cell.optimisation): r for r in results}
    lines: list[str] = []
    for count in threads:
        row = [by_way.get((count, level)) for level in levels]
        head = f'<th scope="rowgroup" rowspan="{len(threads)}">{escape(", ".join(key))}</th>'
        cells = "".join(_cell_html(result) for result in row)
        name = escape(Cell(*key, threads=count).threads_name)
        lines.append(f'<tr>{"" if lines else head}<th scope="row">{name}</th>{cells}</tr>')
    return "<tbody>\n" + "\n".join(lines) + "\n</tbody>"


def _cell_html(result: CellResult | None) -> str:
    if result is None:
        return "<td></td>"
    outcome = result.outcome
    kind, word = _SHOWN[outcome.verdict]
    return f'<td class="{kind}"><span class="word">{word}</span>{_numbers_html(outcome)}</td>'


def _numbers_html(outcome: CellOutcome) -> str:
    if outcome.least_psnr is None or outcome.max_codes is None:
        return ""
    failures = f"<small>{outcome.failures} of {outcome.cases} cases fail</small>"
    return (
        f"<small>{_decibels(outcome.least_psnr)}</small><small>{_codes_text(outcome.max_codes)}</small>"
        f"{failures if outcome.failures else ''}"
    )


def _decibels(psnr: float) -> str:
    return "equal" if math.isinf(psnr) else f"{psnr:.1f} dB"


def _codes_text(codes: int) -> str:
    return f"{codes} code value{'' if codes == 1 else 's'}"


def _reasons(rows: Sequence[CellResult | PropertyResult]) -> str:
    """Each reason once, with those it holds for."""
    held: dict[tuple[Verdict, str], list[str]] = {}
    for row in rows:
        if row.outcome.reason:
            key = row.outcome.verdict, row.outcome.reason
            held.setdefault(key, []).append(_name(row))
    items = "\n".join(_reason_html(*key, names) for key, names in sorted(held.items()))
    return f'<h2>Reasons</h2>\n<ul class="reasons">\n{items}\n</ul>' if items else ""


def _name(row: CellResult | PropertyResult) -> str:
    about = f"{row.name}: " if isinstance(row, PropertyResult) else ""
    return about + row.cell.name


def _reason_html(verdict: Verdict, reason: str, names: Sequence[str]) -> str:
    kind, word = _SHOWN[verdict]
    where = names[0] if len(names) == 1 else f"{len(names)} times, first {names[0]}"
    return (
        f'<li class="{kind}"><span class="word">{word}</span> <span class="soft">'
        f"{escape(where)}</span><br><span>{escape(reason)}</span></li>"
    )


def _properties_html(results: Sequence[PropertyResult]) -> str:
    rows = [
        (
            escape(result.name),
            escape(f"{result.cell.device} {result.cell.precision}"),
            _badge(result.outcome.verdict),
            _exact_text(result.outcome.max_abs),
        )
        for result in results
    ]
    columns = ("Property", "Device, precision", "Verdict", "Largest difference")
    caption = "The network compared with itself, at the defaults of each precision"
    return f"<h2>True to itself</h2>\n{_table(caption, columns, rows)}" if rows else ""


def _exact_text(difference: float | None) -> str:
    if difference is None:
        return ""
    return f"{difference:.1e}" if difference else "none"


def _scores_html(scores: Sequence[TaskScore]) -> str:
    rows = [
        (
            escape(score.device),
            escape(score.precision),
            f"{score.psnr:.3f} dB",
            "" if score.loss is None else f"{score.loss:+.3f} dB",
        )
        for score in scores
    ]
    columns = ("Device", "Precision", "Mean Y-PSNR", "Loss against fp32")
    caption = "Against the ground truth of the benchmark set"
    return f"<h2>Quality of the task</h2>\n{_table(caption, columns, rows)}" if rows else ""


def _spots_html(report: MatrixReport) -> str:
    if not report.spots:
        return ""
    return (
        "<h2>Where they differ most</h2>\n<p>The spot of the output around the largest "
        "difference: of every failed cell, and of the worst cell of each precision, there on the "
        "photograph too. In the third picture mid-grey is no difference; where it is brighter or "
        "darker, so is the candidate.</p>\n" + "\n".join(map(_spot_html, report.spots))
    )


def _spot_html(spot: VisibleDifference) -> str:
    shown, first = spot.difference, spot.cells[0]
    height, width = shown.reference.shape[:2]
    place = (
        f"{shown.case.name}: {width} × {height} pixels of the output, "
        f"from column {shown.left}, row {shown.top}"
    )
    ways = "; ".join(f"{cell.optimisation}, {cell.threads_name}" for cell in spot.cells)
    times = (
        f"{shown.amplification:,g}" if shown.amplification < 1 else f"{shown.amplification:,.0f}"
    )
    figures = "\n".join(
        _figure(picture, said, f"{said} of {first.device} {first.precision}, {shown.case.name}")
        for picture, said in (
            (shown.reference, "Reference"),
            (shown.candidate, "Candidate"),
            (shown.amplified, f"Difference × {times}"),
        )
    )
    return (
        f'<section class="spot"><h3>{escape(f"{first.device} {first.precision}")}</h3>\n'
        f"<p>{escape(place)}</p>\n"
        f'<p class="soft">{escape(ways)}</p>\n<div class="three">\n{figures}\n</div></section>'
    )


def _figure(picture: NDArray[np.uint8], said: str, described: str) -> str:
    data = base64.b64encode(encode_picture(Picture(picture[None]), "spot.png")).decode("ascii")
    height, width = picture.shape[:2]
    return (
        f'<figure><img src="data:image/png;base64,{data}" width="{width}" height="{height}" '
        f'alt="{escape(described)}"><figcaption>{escape(said)}</figcaption></figure>'
    )


def _environment(environment: Mapping[str, str]) -> str:
    return f"<h2>Machine</h2>\n{_list_html(environment)}" if environment else ""


def _footer() -> str:
    return f"<footer><p>{escape(NOTE)}</p></footer>"

"""A minimal case in a folder of its own: to be run by anybody, and sent to who can mend it."""

import json
import os
import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata, resources
from pathlib import Path

import numpy as np
import onnx

from subpixel.errors import SubpixelError
from subpixel.graph.execute import CPU
from subpixel.graph.flow import TensorValues
from subpixel.parity.bisect.blame import Blame
from subpixel.parity.bisect.case.excerpt import Excerpt, distance
from subpixel.plain_text import escape_markdown
from subpixel.system.files.targets import expect_free


@dataclass(frozen=True)
class Recipient:
    """A project, and why the report goes there."""

    project: str
    url: str
    why: str


_RUNTIME = ("microsoft/onnxruntime", "https://github.com/microsoft/onnxruntime/issues")
_EXPORTER = ("pytorch/pytorch", "https://github.com/pytorch/pytorch/issues")
_FOLDING = ("microsoft/onnxscript", "https://github.com/microsoft/onnxscript/issues")


def recipient(blame: Blame) -> Recipient:
    """Who maintains what is to blame."""
    match blame.stage:
        case "optimiser":
            return Recipient(*_RUNTIME, "The same file is right without graph optimisation.")
        case "execution provider":
            return Recipient(*_RUNTIME, "The same file is right on the CPU.")
        case "runtime":
            why = "ONNX's reference evaluator computes the same node right."
            return Recipient(*_RUNTIME, why)
        case "graph passes":
            return Recipient("subpixel", "its issue tracker", "subpixel put this node there.")
        case "precision":
            why = "The same graph is right in float32: ask there only if one node is to blame."
            return Recipient(*_RUNTIME, why)
        case "change after export":
            why = "A new export of the checkpoint is right, so it is no fault of the exporter's."
            return Recipient("whoever edited or converted the file", "after its export", why)
        case "graph":
            why = "Bisection against the checkpoint, or --module, tells the two apart."
            return Recipient("whoever made the file", "its exporter, or a later tool", why)
    return _of_exporter(blame)


def _of_exporter(blame: Blame) -> Recipient:
    if any("computed → the constant" in line for line in blame.evidence):
        why = (
            "A value that should be computed became a constant, which the exporter's folding does."
        )
        return Recipient(*_FOLDING, why)
    why = "A new export of the checkpoint has the same fault, whatever runs it."
    return Recipient(*_EXPORTER, why)


MODEL, FACTS, SCRIPT, TEXT = "case.onnx", "case.json", "reproduce.py", "report.md"

REPORT_PACKAGES = ("onnx", "onnxruntime", "torch", "onnxscript", "numpy")


def write_case(out: Path, blame: Blame, excerpt: Excerpt, *, overwrite: bool = False) -> Path:
    """Write the folder ``out``: whole, or not at all.

    ``case.onnx`` is the part to blame, ``input_*.npy``, ``expected_*.npy`` and ``found_*.npy``
    what goes in, should and does come out; ``reproduce.py`` runs it with ONNX Runtime and numpy
    alone, and exits with 1 while the fault is there; ``report.md`` is the text of an issue for
    who maintains what is to blame.

    Raises :class:`~subpixel.errors.SubpixelError` when ``out`` can't be written, when it exists
    and ``overwrite`` is False, and when it holds anything but a case.
    """
    expect_free_for_case(out, overwrite=overwrite)
    partial = out.with_name(f".{os.urandom(8).hex()}.partial")
    try:
        partial.mkdir()
        _write_files(partial, blame, excerpt)
        _move(partial, out)
    except OSError as error:
        raise SubpixelError(f"{out} can't be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return out


def expect_free_for_case(out: Path, *, overwrite: bool) -> None:
    """Raise :class:`SubpixelError` where a case must not be written at ``out``."""
    expect_free(out, overwrite=overwrite)
    if out.exists() and not (out.is_dir() and all(map(_is_ours, out.iterdir()))):
        raise SubpixelError(f"{out} holds other things than a case; name another folder")


def _is_ours(file: Path) -> bool:
    written = file.suffix == ".npy" and file.stem.split("_")[0] in ("input", "expected", "found")
    return file.name in (MODEL, FACTS, SCRIPT, TEXT) or written


def _write_files(folder: Path, blame: Blame, excerpt: Excerpt) -> None:
    onnx.save(excerpt.model, folder / MODEL)
    facts = {
        "inputs": _save_values(folder, "input", excerpt.inputs),
        "expected": _save_values(folder, "expected", excerpt.expected),
        "found": _save_values(folder, "found", excerpt.found),
        "apart": _distances(excerpt),
        "provider": excerpt.provider,
        "optimisation": excerpt.level,
    }
    (folder / FACTS).write_text(json.dumps(facts, indent=2) + "\n", "utf-8")
    script = resources.files(__package__) / "reproduce.py.txt"
    (folder / SCRIPT).write_text(script.read_text("utf-8"), "utf-8")
    text = escape_markdown("\n".join(map(_one_line, _report(blame, excerpt))) + "\n")
    (folder / TEXT).write_text(text, "utf-8")


def _one_line(line: str) -> str:
    """A name may have a newline in it, which would begin a line of its own."""
    return line.replace("\n", "\\n")


def _save_values(folder: Path, kind: str, values: TensorValues) -> dict[str, str]:
    """Write each value, and give the file of each name."""
    files = {name: f"{kind}_{i}.npy" for i, name in enumerate(values)}
    for name, file in files.items():
        np.save(folder / file, values[name])
    return files


def _distances(excerpt: Excerpt) -> dict[str, float | None]:
    """How far each result is off; None where there is no number for it."""
    found = {
        name: distance(excerpt.found[name], expected) if excerpt.found else float("inf")
        for name, expected in excerpt.expected.items()
    }
    return {name: most if np.isfinite(most) else None for name, most in found.items()}


def _move(partial: Path, out: Path) -> None:
    """Put the finished folder in its place, and what was there away."""
    old = partial.with_suffix(".old")
    if out.exists():
        out.rename(old)
    partial.rename(out)
    shutil.rmtree(old, ignore_errors=True)


def _report(blame: Blame, excerpt: Excerpt) -> Iterator[str]:
    node = f"{blame.op_type} `{blame.node}`" if blame.node else "the network"
    to = recipient(blame)
    yield f"# {blame.stage}: {node} gives a wrong result"
    yield ""
    yield f"For: {to.project} ({to.url}). {to.why}"
    yield ""
    yield f"{blame.bad} differs from {blame.against}: {blame.summary()}."
    if blame.result:
        yield f"On the picture {blame.result.case.name}: {blame.result.reason}."
    if blame.alone and blame.alone.reason:
        yield f"With this part alone taken from it, the rest right: {blame.alone.reason}."
    if blame.mended is False:
        yield "With this part right, the picture is still wrong: there is more behind it."
    yield from _format_section("What differs from the reference", blame.evidence)
    yield from _format_section("Nodes of the part", blame.group)
    yield from _growth(blame)
    yield from _steps(excerpt)
    yield from _format_section("Versions", _versions())


def _format_section(title: str, lines: tuple[str, ...]) -> Iterator[str]:
    if lines:
        yield from ("", f"## {title}", "", *(f"- {line}" for line in lines))


def _growth(blame: Blame) -> Iterator[str]:
    if blame.growth:
        yield from ("", "## The difference over the depth", "")
        yield from ("| nodes | up to | max abs | code values |", "|---|---|---|---|")
    for row in blame.growth:
        yield f"| {row.nodes} | {row.node} | {row.max_abs} | {row.max_codes} |"


def _steps(excerpt: Excerpt) -> Iterator[str]:
    yield from ("", "## To reproduce", "", "```", f"python {SCRIPT}", "```", "")
    where = "" if excerpt.provider == CPU else f" on {excerpt.provider}"
    yield (
        f"It runs `{MODEL}` under ONNX Runtime{where} with graph optimisation "
        f'"{excerpt.level}" on `input_*.npy`; `expected_*.npy` is what should come out.'
    )
    yield ""
    for name, expected in excerpt.expected.items():
        result = _describe_result(excerpt, name)
        yield f"- {name}: {result}; expected {expected.dtype} {expected.shape}"


def _describe_result(excerpt: Excerpt, name: str) -> str:
    if excerpt.failure is not None:
        return excerpt.failure
    found = excerpt.found[name]
    apart = distance(found, excerpt.expected[name])
    return f"{found.dtype} {found.shape}, at most {apart:.3g} from what is expected"


def _versions() -> tuple[str, ...]:
    installed = {dist.metadata["Name"]: dist.version for dist in metadata.distributions()}
    return (
        *(f"{name} {installed[name]}" for name in REPORT_PACKAGES if name in installed),
        f"Python {platform.python_version()}, {platform.system()} {platform.machine()}",
    )

"""A minimal case in a folder of its own: to be run by anybody, and sent to who can mend it."""

import json
import os
import platform
import shutil
from collections.abc import Iterator
from importlib import metadata, resources
from pathlib import Path

import numpy as np
import onnx

from subpixel.errors import SubpixelError
from subpixel.graph.execute import CPU
from subpixel.graph.flow import TensorValues
from subpixel.parity.bisect.blame import Blame
from subpixel.parity.bisect.case.excerpt import Excerpt, distance
from subpixel.parity.bisect.case.upstream import recipient
from subpixel.system.targets import expect_free

MODEL, FACTS, SCRIPT, TEXT = "case.onnx", "case.json", "reproduce.py", "report.md"

PACKAGES = ("onnx", "onnxruntime", "torch", "onnxscript", "numpy")


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
        _fill(partial, blame, excerpt)
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


def _fill(folder: Path, blame: Blame, excerpt: Excerpt) -> None:
    onnx.save(excerpt.model, folder / MODEL)
    facts = {
        "inputs": _saved(folder, "input", excerpt.inputs),
        "expected": _saved(folder, "expected", excerpt.expected),
        "found": _saved(folder, "found", excerpt.found),
        "apart": _apart(excerpt),
        "provider": excerpt.provider,
        "optimisation": excerpt.level,
    }
    (folder / FACTS).write_text(json.dumps(facts, indent=2) + "\n", "utf-8")
    script = resources.files(__package__) / "reproduce.py.txt"
    (folder / SCRIPT).write_text(script.read_text("utf-8"), "utf-8")
    (folder / TEXT).write_text("\n".join(_report(blame, excerpt)) + "\n", "utf-8")


def _saved(folder: Path, kind: str, values: TensorValues) -> dict[str, str]:
    """Write each value, and give the file of each name."""
    files = {name: f"{kind}_{i}.npy" for i, name in enumerate(values)}
    for name, file in files.items():
        np.save(folder / file, values[name])
    return files


def _apart(excerpt: Excerpt) -> dict[str, float | None]:
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
    yield from _listed("What differs from the reference", blame.evidence)
    yield from _listed("Nodes of the part", blame.group)
    yield from _growth(blame)
    yield from _steps(excerpt)
    yield from _listed("Versions", _versions())


def _listed(title: str, lines: tuple[str, ...]) -> Iterator[str]:
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
        yield f"- {name}: {_found(excerpt, name)}; expected {expected.dtype} {expected.shape}"


def _found(excerpt: Excerpt, name: str) -> str:
    if excerpt.failure is not None:
        return excerpt.failure
    found = excerpt.found[name]
    apart = distance(found, excerpt.expected[name])
    return f"{found.dtype} {found.shape}, at most {apart:.3g} from what is expected"


def _versions() -> tuple[str, ...]:
    installed = {dist.metadata["Name"]: dist.version for dist in metadata.distributions()}
    return (
        *(f"{name} {installed[name]}" for name in PACKAGES if name in installed),
        f"Python {platform.python_version()}, {platform.system()} {platform.machine()}",
    )

"""An extension of griffe for the site: docstrings become Markdown.

Sphinx's role ``:class:`~subpixel.spec.ModelSpec``` becomes a link where the reference has the name,
else code. Examples with ``>>>`` become blocks of Python.
"""

import re
from collections.abc import Iterator
from itertools import groupby

import griffe

import subpixel
import subpixel.errors

ROLE = re.compile(r":(?:class|func|meth|mod|data|attr|exc):`~?([\w.]+)`")


class DocstringRoles(griffe.Extension):
    def on_instance(self, *, obj: griffe.Object, **_: object) -> None:
        if obj.docstring:
            obj.docstring.value = to_markdown(obj.docstring.value)


def to_markdown(text: str) -> str:
    """``text`` without roles, its examples fenced, without the ``::`` before a literal block."""
    lines = ROLE.sub(_replacement, text).splitlines()
    return re.sub(r"^::$", "", "\n".join(_with_fences(lines)), flags=re.MULTILINE)


def _replacement(role: re.Match[str]) -> str:
    name = role[1].rpartition(".")[2]
    if name.endswith("Error") and hasattr(subpixel.errors, name):
        return f"[`{name}`][subpixel.errors.{name}]"
    return f"[`{name}`][subpixel.{name}]" if name in subpixel.__all__ else f"`{name}`"


def _with_fences(lines: list[str]) -> Iterator[str]:
    """The lines, each run of examples as one fenced block."""
    for is_example, run in groupby(lines, lambda line: line.startswith((">>> ", "... "))):
        if is_example:
            yield from ("```python", *(line[4:].partition("  # doctest")[0] for line in run), "```")
        else:
            yield from run

"""The references of the site, made from Click's commands and from docstrings."""

import pytest

from subpixel.cli.main import VERBS

command_reference = pytest.importorskip("command_reference", exc_type=ImportError)
docstring_roles = pytest.importorskip("docstring_roles", exc_type=ImportError)


def test_every_command_has_its_heading() -> None:
    lines = command_reference.reference()
    headings = [line.split("subpixel ", 1)[1] for line in lines if line.startswith("## ")]
    assert headings == list(VERBS)
    assert "### subpixel models get" in lines
    assert any("<code>--max-memory SIZE</code>" in line for line in lines)


def test_help_is_no_markup() -> None:
    text = command_reference.escape_text("a*b [1<=x] FILE|FOLDER, `c_d`")
    assert text == "a\\*b \\[1&lt;=x\\] FILE&#124;FOLDER, `c_d`"


def test_roles_become_links_where_the_reference_has_the_name() -> None:
    to_markdown = docstring_roles.to_markdown
    assert to_markdown("A :class:`~subpixel.spec.ModelSpec`.") == (
        "A [`ModelSpec`][subpixel.ModelSpec]."
    )
    assert to_markdown(":class:`UsageError`") == "[`UsageError`][subpixel.errors.UsageError]"
    assert to_markdown(":data:`~a.b.TABLE`") == "`TABLE`"


def test_examples_become_blocks() -> None:
    text = ">>> import subpixel\n>>> subpixel.upscale(a)  # doctest: +SKIP\n"
    expected = "```python\nimport subpixel\nsubpixel.upscale(a)\n```"
    assert docstring_roles.to_markdown(text) == expected

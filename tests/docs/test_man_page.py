"""The manual page: every command and option, in roff that the formatter takes."""

import shutil
import subprocess

import click
import pytest
from man_page import escape, find_commands, man_page

from subpixel.cli.main import VERBS, verbs


def test_it_has_every_command_and_option() -> None:
    page = man_page()
    contexts = list(find_commands(click.Context(verbs, info_name="subpixel")))
    assert {context.command_path.split()[1] for context in contexts} == set(VERBS)
    for context in contexts:
        assert f'.SH "{context.command_path.upper()}"' in page
        for parameter in context.command.get_params(context):
            if isinstance(parameter, click.Option):
                assert escape(parameter.opts[0]) in page


def test_text_is_no_request() -> None:
    assert escape(".5 of it") == "\\&.5 of it"
    assert escape("a\\b-c") == "a\\eb\\-c"


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_the_formatter_has_nothing_to_say() -> None:
    command = ["groff", "-man", "-Tutf8", "-Kutf8", "-ww", "-rLL=200n"]
    done = subprocess.run(command, input=man_page(), capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert "Enlarge pictures, films and folders of them." in done.stdout

"""What a shell completes where a network is named."""

import os
import subprocess
import sys

import click
import pytest

from subpixel.cli.options.completion import complete_gallery_network, complete_network
from subpixel.zoo.gallery import store

CONTEXT = click.Context(click.Command("upscale"))
PARAMETER = click.Option(["--model"])


def _complete(line: str) -> list[str]:
    """What Click answers bash at the end of ``line``."""
    code = "from subpixel.cli.main import main; main()"
    words = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split()) - 1)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | words | {"_SUBPIXEL_COMPLETE": "bash_complete"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


def test_networks_and_files_are_completed() -> None:
    assert _complete("subpixel upscale --model ba") == [
        "plain,balanced",
        "plain,balanced-int8",
        "file,ba",
    ]
    assert _complete("subpixel info fast-") == ["plain,fast-int8", "file,fast-"]


def test_commands_are_completed() -> None:
    assert _complete("subpixel up") == ["plain,upscale"]


def test_names_of_the_gallery_are_completed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Kept:
        id = "4x-anime"

    monkeypatch.setattr(store, "entries", lambda: ((Kept(),), ()))
    items = complete_network(CONTEXT, PARAMETER, "4x")
    assert [(item.value, item.type) for item in items] == [("4x-anime", "plain"), ("4x", "file")]
    (item,) = complete_gallery_network(CONTEXT, PARAMETER, "4")
    assert item.value == "4x-anime"

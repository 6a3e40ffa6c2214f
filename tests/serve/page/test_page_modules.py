"""The page's arithmetic is Python's: plans, transparency, and the choice of a network, from both sides."""

import subprocess
from pathlib import Path

import page_goldens

from nodes import expect_node

HERE = Path(__file__).parent


def test_python_says_what_the_goldens_say() -> None:
    assert page_goldens.GOLDENS.read_text(encoding="utf-8") == page_goldens.as_text(), (
        "run tests/serve/page/page_goldens.py, and look at what changed"
    )


def test_the_page_says_what_the_goldens_say() -> None:
    command = [expect_node(), "--test", str(HERE / "goldens.test.mjs")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout

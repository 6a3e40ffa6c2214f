"""The page says what Python says, of plans, transparency and the choice of a network."""

import subprocess
from pathlib import Path

import page_goldens
import pytest

from nodes import expect_node

HERE = Path(__file__).parent


def test_python_says_what_the_goldens_say() -> None:
    assert page_goldens.GOLDENS.read_text(encoding="utf-8") == page_goldens.as_text(), (
        "run tests/serve/page/page_goldens.py, and look at what changed"
    )


@pytest.mark.parametrize("name", ["goldens", "offline"])
def test_the_page_says_what_it_should(name: str) -> None:
    command = [expect_node(), "--test", str(HERE / f"{name}.test.mjs")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout

"""What went wrong, as clients are told."""

from pathlib import Path

import pytest

from subpixel.errors import MemoryLimitError, PictureError, UsageError
from subpixel.media.apart.messages.answer import FailureAnswer
from subpixel.media.apart.messages.failures import to_exception
from subpixel.serve.http.failures import explain_http_failure
from subpixel.upscaling.memory import explain_shortage


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            MemoryLimitError(f"x needs {explain_shortage(1 << 30, 1 << 30, 1 << 20)}"),
            "are allowed; send a smaller one",
        ),
        (PictureError("x ends early; send it again"), "x ends early; send it again"),
        (UsageError("x leaves the size as it is; name another with --model"), "size as it is"),
    ],
)
def test_no_option_of_the_command_line_is_named(error: Exception, words: str) -> None:
    message = explain_http_failure(error).message
    assert "--" not in message
    assert message.endswith(words)


def test_option_in_brackets_is_left_out() -> None:
    failure = FailureAnswer("MemoryError", "out of memory")
    message = explain_http_failure(to_exception(failure, Path("x"))).message
    assert "--" not in message
    assert "or the file is damaged" in message

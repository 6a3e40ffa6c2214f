"""What users' code raises to end a process is a failure of it."""

import pytest

from subpixel.system.users_code import AskedToEndError, Ended, users_code


class Own(BaseException):
    """Nobody else knows it."""


@pytest.mark.parametrize(
    ("end", "message"),
    [
        (SystemExit(0), r"asks for the end of the process \(SystemExit: 0\)"),
        (SystemExit(), r"asks for the end of the process \(SystemExit: SystemExit\)"),
        (Own("enough"), r"asks for the end of the process \(Own: enough\)"),
    ],
)
def test_an_end_is_a_failure(end: BaseException, message: str) -> None:
    with pytest.raises(AskedToEndError, match=message), users_code():
        raise end


@pytest.mark.parametrize("error", [KeyboardInterrupt(), Ended(15), ValueError("no"), MemoryError()])
def test_all_else_goes_its_way(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught, users_code():
        raise error
    assert caught.value is error

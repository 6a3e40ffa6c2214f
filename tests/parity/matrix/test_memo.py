from pathlib import Path

import numpy as np
import pytest

from subpixel.errors import NetworkError
from subpixel.parity.matrix.memo import MemoOp
from subpixel.runtime.op import Pixels


def test_each_input_runs_once(tmp_path: Path) -> None:
    seen: list[Pixels] = []

    def op(pixels: Pixels, /) -> Pixels:
        seen.append(pixels)
        return pixels * np.float32(2)

    remembered = MemoOp(op, tmp_path / "made when needed")
    pictures = [
        np.zeros((1, 1, 2, 3), np.float32),
        np.zeros((1, 1, 3, 2), np.float32),  # the same bytes in another shape
        np.ones((1, 1, 2, 3), np.float32),
    ]
    for picture in (*pictures, *pictures):
        result = remembered(picture)
        assert np.array_equal(result, picture * 2)
        assert result.dtype == np.float32
    assert len(seen) == 3


def test_failures_are_not_remembered(tmp_path: Path) -> None:
    def op(_: Pixels, /) -> Pixels:
        raise NetworkError("no")

    remembered = MemoOp(op, tmp_path)
    for _ in range(2):
        with pytest.raises(NetworkError):
            remembered(np.zeros((1, 1, 1, 1), np.float32))
    assert list(tmp_path.iterdir()) == []

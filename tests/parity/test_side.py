"""What a comparison is told of its reference travels with the reference."""

from dataclasses import replace
from pathlib import Path

import pytest

from subpixel.nets.checkpoints.checkpoint import CheckpointFile
from subpixel.parity import side
from subpixel.parity.side import Reference, as_reference, open_side

FILE = CheckpointFile(Path("a.pth"), "params_ema")


@pytest.mark.parametrize("reference", ["a.pth", Path("a.pth")])
def test_a_path_is_a_path(reference: str | Path) -> None:
    assert as_reference(reference) == Path("a.pth")
    wanted = CheckpointFile(Path("a.pth"), extra_architectures=True)
    assert as_reference(reference, extra_architectures=True) == wanted


def test_what_is_said_of_a_checkpoint_stays() -> None:
    assert as_reference(FILE) == FILE
    wanted = replace(FILE, extra_architectures=True)
    assert as_reference(FILE, extra_architectures=True) == wanted
    assert as_reference(wanted) == wanted


def test_it_reaches_the_loading(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[Reference, int | None]] = []

    class Stop(Exception):  # noqa: N818 - not an error
        pass

    def stop(file: Reference, *, scale: int | None) -> None:
        seen.append((file, scale))
        raise Stop

    monkeypatch.setattr(side, "load_checkpoint", stop)
    with pytest.raises(Stop):
        open_side(as_reference("a.pth", extra_architectures=True))
    assert seen == [(CheckpointFile(Path("a.pth"), extra_architectures=True), None)]

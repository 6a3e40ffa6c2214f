"""A run over many pictures holds nothing of those that are done."""

import json
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from subpixel.cli.main import run
from subpixel.cli.upscaling import local
from subpixel.jobs.results import JobResult

COUNT = 12


@pytest.mark.parametrize("as_json", [False, True])
def test_a_result_is_gone_once_its_line_was_printed(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    as_json: bool,
) -> None:
    """But for the first, whose line may be all that is said in the end."""
    alive = list[int]()

    def fake_work(*_: object) -> Iterator[JobResult]:
        results = list[weakref.ref[JobResult]]()
        for number in range(COUNT):
            alive.append(sum(result() is not None for result in results))
            error = "no" if number % 3 == 2 else None
            losses = (f"icc: of {number}",)
            result = JobResult(Path(f"{number}"), Path("x"), seconds=1, losses=losses, error=error)
            results.append(weakref.ref(result))
            yield result
            del result

    monkeypatch.setattr(local, "upscale_files", fake_work)
    files = [tmp_path / f"{number}.png" for number in range(COUNT)]
    for file in files:
        file.write_bytes(b"")
    options = ["--no-tuning", "--json"] if as_json else ["--no-tuning"]
    arguments = [*map(str, files), *options]
    assert run(["upscale", "--model", "fast", *arguments]) == 1
    assert len(alive) == COUNT
    assert max(alive) <= 2, "the first, and the one whose turn it was"
    if as_json:
        files = json.loads(capsys.readouterr().out)["files"]
        assert [file["input"] for file in files] == [str(number) for number in range(COUNT)]

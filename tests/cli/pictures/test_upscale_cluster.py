"""`subpixel upscale --engine ray`: what is refused, and a whole job with a pool in this process."""

import json
import sys
import uuid
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest

from cluster_jobs import LocalPool, stored_hashes, write_pictures
from subpixel.cli.main import run
from subpixel.cli.upscaling import cluster
from subpixel.jobs.cluster.store import FolderStore
from subpixel.jobs.cluster.units import Unit
from subpixel.jobs.cluster.worker import UnitOutcome, WorkOrder

NETWORK = ("--model", "espcn", "--scale", "2")


class StillPool:
    """The cluster is this process."""

    deaths, size = 0, 1

    def __init__(self, order: WorkOrder, address: str | None, actors: int | None) -> None:
        self._local, self._address = LocalPool(order), (address, actors)

    def __enter__(self) -> "StillPool":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def describe(self) -> str:
        address, actors = self._address
        return f"{actors} actors at {address}"

    def do(self, chunks: Iterable[Sequence[Unit]]) -> Iterator[UnitOutcome]:
        sys.stdout.write("Ray says something")
        return self._local.do(chunks)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(cluster, "RayPool", StillPool)
    write_pictures(tmp_path / "in", 4)
    return tmp_path / "in"


def upscale(*arguments: str | Path) -> int:
    return run(["upscale", *map(str, arguments), *NETWORK])


@pytest.mark.parametrize("place", ["folder", "url"])
def test_resume_wants_a_journal(
    folder: Path, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if place == "url":
        pytest.importorskip("fsspec", reason="needs the extra ray")
    url = f"memory://{uuid.uuid4().hex}/out"
    out = str(folder.parent / "out") if place == "folder" else url
    said = refusal(capsys, folder, "-o", out, "--engine", "ray", "--resume")
    assert f"there is none in {out}; leave it out" in said
    assert not (folder.parent / "out").exists()
    assert upscale(folder, "-o", out, "--engine", "ray") == 0
    assert upscale(folder, "-o", out, "--engine", "ray", "--resume") == 0
    assert "resumes: 4 of 4 done" in capsys.readouterr().err


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    assert upscale(*arguments) == 2
    return " ".join(capsys.readouterr().err.split())


def test_cluster_and_one_process_make_the_same(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone, together = folder.parent / "alone", folder.parent / "together"
    assert upscale(folder, "-o", alone, "-q") == 0
    options = ("--engine", "ray", "--address", "head:1", "--actors", "3")
    assert upscale(folder, "-o", together, *options) == 0
    said = capsys.readouterr()
    assert "subpixel: 4 pictures for 3 actors at head:1\n" in said.err
    assert "subpixel: 4 pictures written" in said.err
    assert said.out == ""
    assert stored_hashes(FolderStore(together)) == stored_hashes(FolderStore(alone))
    assert upscale(folder, "-o", together) == 0
    assert "resumes: 4 of 4 done" in capsys.readouterr().err


def test_url_is_a_place_for_results(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("fsspec", reason="needs the extra ray")
    url = f"memory://{uuid.uuid4().hex}/out"
    (folder / "bad.png").write_bytes(b"no picture")
    assert upscale(folder, "-o", url, "--engine", "ray", "--json", "--format", "webp") == 1
    facts = json.loads(capsys.readouterr().out)
    assert (facts["written"], facts["failed"], len(facts["failures"])) == (4, 1, 1)
    assert facts["failures"][0].startswith(f"{folder / 'bad.png'}")
    assert upscale(folder, "-o", url, "--engine", "ray", "-v", "--format", "webp") == 1
    assert "resumes: 4 of 5 done" in capsys.readouterr().err
    from subpixel.jobs.cluster.url_store import UrlStore

    places = {f"part{n % 2}/p{n}.webp" for n in range(4)}
    assert set(stored_hashes(UrlStore(url))) == places


def test_skip_existing_leaves_out_what_is_there(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = folder.parent / "out" / "part1"
    out.mkdir(parents=True)
    (out / "p1.png").write_bytes(b"somebody's")
    assert upscale(folder, "-o", out.parent, "--engine", "ray", "--skip-existing") == 0
    said = capsys.readouterr().err
    assert "3 pictures written" in said
    assert "left out: 1 whose results exist" in said
    assert (out / "p1.png").read_bytes() == b"somebody's"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("s3://bucket/in", "-o", "out"), "s3://bucket/in is a URL, which --engine ray reads"),
        (("in", "-o", "s3://bucket/out"), "s3://bucket/out is a URL, which --engine ray reads"),
        (("in", "-o", "out", "--address", "head:1"), "--address is for --engine ray"),
        (("in", "-o", "out", "--actors", "2"), "--actors is for --engine ray"),
        (("in", "--engine", "ray"), "--engine ray takes one folder or URL of pictures"),
        (("a", "b", "-o", "out", "--engine", "ray"), "--engine ray takes one folder or URL"),
        (("-", "-o", "out", "--engine", "ray"), "--engine ray takes one folder or URL"),
        (("in", "-o", "http://host/out", "--engine", "ray"), "http://host/out is for reading"),
        (
            ("in", "-o", "s3://bucket/out", "--engine", "ray", "--keep-date"),
            "--keep-date is for folders",
        ),
        (("in", "-o", "out", "--engine", "ray", "--shard", "1/2"), "--shard and --engine ray"),
        (("in", "-o", "out", "--engine", "ray", "--untrusted"), "--untrusted and --engine ray"),
        (("in", "-o", "in", "--engine", "ray"), "results need a place of their own"),
        (("nowhere", "-o", "out", "--engine", "ray"), "nowhere is no folder"),
        (("in", "-o", "out", "--engine", "ray", "--quality", "90"), "--quality"),
    ],
)
def test_what_does_not_go_together_is_refused(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.chdir(folder.parent)
    assert message in refusal(capsys, *arguments)
    assert not (folder.parent / "out").exists()

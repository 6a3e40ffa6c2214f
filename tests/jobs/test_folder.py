"""What is taken of a folder and what is left out, each by its reason."""

import os
import re
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subpixel.jobs.folder import (
    Fault,
    FolderItem,
    Omission,
    SourceFile,
    describe_omissions,
    is_result,
    list_folder,
)

JPEG = b"\xff\xd8\xff\xe0\0\x10JFIF\0"
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0"

posix = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX files")


def _make(root: Path, *names: str, data: bytes = b"") -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)


def _list(root: Path, output: Path | None = None) -> list[FolderItem]:
    return list(list_folder(root, output, "_x3"))


def _places(items: list[FolderItem]) -> list[str]:
    return [item.place.as_posix() for item in items if isinstance(item, SourceFile)]


def _left_out(items: list[FolderItem]) -> dict[str, str]:
    return {item.path.name: item.reason for item in items if isinstance(item, Omission)}


def test_the_order_is_that_of_the_names(tmp_path: Path) -> None:
    _make(tmp_path, "c.jpg", "b/z.jpg", "b/a/y.png", "a.jpg")
    assert _places(_list(tmp_path)) == ["a.jpg", "b/a/y.png", "b/z.jpg", "c.jpg"]


def test_hidden_files_and_thumbnails_are_left_out(tmp_path: Path) -> None:
    hidden = ["._a.jpg", ".b.jpg", "Thumbs.db", "@eaDir/a.jpg", ".thumbnails/a.jpg"]
    _make(tmp_path, "a.jpg", "MVI_1.THM", ".Trash-1000/a.jpg", "__MACOSX/a.jpg", *hidden)
    items = _list(tmp_path)
    assert _places(items) == ["a.jpg"]
    left_out = _left_out(items)
    assert set(left_out.values()) == {"hidden"}
    assert len(left_out) == 8, "a folder counts once"
    assert describe_omissions(items[:0]) == ""
    said = describe_omissions([item for item in items if isinstance(item, Omission)])
    assert said == "8 hidden files or thumbnail folders"


def test_a_hidden_folder_that_is_named_is_places(tmp_path: Path) -> None:
    _make(tmp_path, ".private/a.jpg")
    assert _places(_list(tmp_path / ".private")) == ["a.jpg"]


@pytest.mark.parametrize("beside", [True, False])
@pytest.mark.parametrize("source", ["a.jpg", "a.png", "a.TIFF"])
@pytest.mark.parametrize(
    "result", ["a_x3.jpg", "a_x2.jpg", "a_x1.5.webp", "a_w1920.jpg", "a_fit90x80.png", "a_12mp.jpg"]
)
def test_a_result_is_one_where_its_source_lies_beside_it(
    tmp_path: Path, source: str, result: str, beside: bool
) -> None:
    _make(tmp_path, result, source if beside else f"other/{source}")
    items = _list(tmp_path)
    assert (result in _places(items)) == (not beside)
    assert _left_out(items) == ({result: "result"} if beside else {})


@given(st.text(st.sampled_from("ab_x3."), min_size=1, max_size=9), st.sampled_from(["_x3", "-b"]))
def test_a_result_of_a_source_and_of_nothing_else(stem: str, mark: str) -> None:
    for result in (stem + mark, f"{stem}_x2", f"{stem}_x1.5"):
        assert is_result(result, {stem, result}, mark)
        assert is_result(result, {f"{stem}c", result}, mark) == any(
            result == f"{stem}c{end}" for end in (mark, "_x2", "_x1.5")
        )
    assert not is_result(f"{stem}_x", {stem}, mark)
    assert not is_result(stem, {stem}, mark)


def test_the_place_of_the_results_is_left_out(tmp_path: Path) -> None:
    _make(tmp_path, "a.jpg", "out/a.jpg", "deep/b.jpg", "sheet.png")
    assert _places(_list(tmp_path, tmp_path / "out")) == ["a.jpg", "deep/b.jpg", "sheet.png"]
    assert _left_out(_list(tmp_path, tmp_path / "sheet.png")) == {"sheet.png": "output"}
    assert len(_places(_list(tmp_path, tmp_path))) == 4, "of which all is the place of results"
    assert len(_places(_list(tmp_path, tmp_path / "gone"))) == 4


@posix
def test_the_place_of_the_results_is_known_by_any_name(tmp_path: Path) -> None:
    _make(tmp_path, "in/a.jpg", "in/out/a.jpg")
    (tmp_path / "elsewhere").symlink_to(tmp_path / "in" / "out")
    assert _places(_list(tmp_path / "in", tmp_path / "elsewhere")) == ["a.jpg"]


def test_files_that_no_format_claims_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("subpixel.jobs.file_kinds.can_develop", lambda: False)
    _make(tmp_path, "a.txt", "b.xmp", "empty", "IMG_3.CR3")
    _make(tmp_path, "c.jpe_", "IMG_3.NEF", data=JPEG)
    items = _list(tmp_path)
    assert _places(items) == ["c.jpe_"]
    said = describe_omissions([item for item in items if isinstance(item, Omission)], limit=2)
    assert said == (
        "2 files that no format claims: camera raw (IMG_3.CR3; IMG_3.NEF), "
        "3 files that no format claims (a.txt; b.xmp; 1 more)"
    )


@pytest.mark.parametrize("installed", [True, False])
def test_a_format_whose_package_is_missing_claims_nothing(
    tmp_path: Path, installed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    _make(tmp_path, "IMG_1.heic", "IMG_2", data=HEIC)
    spec = ModuleSpec("pillow_heif", None) if installed else None
    monkeypatch.setattr("subpixel.media.formats.format.find_spec", lambda name: spec)
    items = _list(tmp_path)
    assert _places(items) == (["IMG_1.heic", "IMG_2"] if installed else [])
    said = describe_omissions([item for item in items if isinstance(item, Omission)])
    expected = r"2 files that no format claims: HEIC needs .* pip install .*heif.* \(IMG_1.*IMG_2\)"
    assert (said == "") if installed else re.fullmatch(expected, said)


@posix
def test_what_would_never_end_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s.jpg"))
        assert set(_left_out(_list(tmp_path)).values()) == {"unclaimed"}


@posix
def test_a_loop_of_links_is_a_fault_and_the_others_go_on(tmp_path: Path) -> None:
    _make(tmp_path, "in/a.jpg", "in/deep/b.jpg", "elsewhere/c.jpg")
    root = tmp_path / "in"
    (root / "loop.jpg").symlink_to("loop.jpg")
    (root / "deep" / "up").symlink_to("..")
    (root / "gone.jpg").symlink_to("nothing.jpg")
    (root / "linked").symlink_to(tmp_path / "elsewhere")
    items = _list(root)
    assert _places(items) == ["a.jpg", "deep/b.jpg", "linked/c.jpg"]
    faults = [item for item in items if isinstance(item, Fault)]
    assert [fault.path.relative_to(root).as_posix() for fault in faults] == [
        "deep/up",
        "gone.jpg",
        "loop.jpg",
    ]
    assert all(fault.message.startswith(f"{fault.path} can't be read: ") for fault in faults)


@contextmanager
def _nobody() -> Iterator[None]:
    """Without the right to read everything, which root has."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@posix
def test_a_folder_that_can_not_be_read_is_a_fault_and_the_others_go_on(tmp_path: Path) -> None:
    _make(tmp_path, "a.jpg", "closed/b.jpg", "open/c.jpg")
    for folder in (tmp_path, *tmp_path.parents[:3]):
        if folder.owner() == Path.home().owner():
            folder.chmod(0o755)
    (tmp_path / "closed").chmod(0)
    try:
        with _nobody():
            items = _list(tmp_path)
    finally:
        (tmp_path / "closed").chmod(0o755)
    assert _places(items) == ["a.jpg", "open/c.jpg"]
    (fault,) = (item for item in items if isinstance(item, Fault))
    assert fault.message == f"{tmp_path / 'closed'} can't be read: Permission denied"


@pytest.mark.slow
def test_ten_thousand_files_are_listed_one_by_one(tmp_path: Path) -> None:
    for number in range(10_000):
        (tmp_path / f"{number}.jpg").touch()
    items = list_folder(tmp_path, None, "_x3")
    assert next(items) == SourceFile(tmp_path / "0.jpg", Path("0.jpg"), ".jpg")
    assert sum(1 for _ in items) == 9_999

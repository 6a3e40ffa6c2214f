"""What scripts/check_site.py finds in a built site."""

from pathlib import Path

from check_site import find_faults


def _write(folder: Path, **pages: str) -> Path:
    for name, body in pages.items():
        (folder / f"{name}.html").write_text(f"<html><body>{body}</body></html>")
    return folder


def test_what_resolves_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "cat.webp").write_bytes(b"")
    site = _write(
        tmp_path,
        index='<a href="other.html#there">a</a><a href="#here">b</a><h1 id="here"></h1>'
        '<a href="https://example.org/x">c</a><img src="cat.webp">',
        other='<h2 id="there"></h2><a href="index.html">d</a>',
    )
    assert find_faults(site) == []


def test_links_anchors_and_pictures(tmp_path: Path) -> None:
    site = _write(
        tmp_path,
        index='<a href="none.html">a</a><a href="other.html#none">b</a><img src="none.webp">',
        other="",
    )
    assert find_faults(site) == [
        "index.html: none.html leads nowhere",
        "index.html: other.html#none has no such anchor",
        "index.html: none.webp leads nowhere",
    ]


def test_what_is_loaded_from_elsewhere(tmp_path: Path) -> None:
    site = _write(
        tmp_path,
        index='<link rel="stylesheet" href="https://fonts.example/a.css">'
        '<script src="//cdn.example/b.js"></script><a href="https://example.org">fine</a>',
    )
    assert find_faults(site) == [
        "index.html: loads https://fonts.example/a.css from elsewhere",
        "index.html: loads //cdn.example/b.js from elsewhere",
    ]

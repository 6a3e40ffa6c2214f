"""Files that stand for another, which a download has left in its place."""

LFS_POINTER = b"version https://git-lfs.github.com/spec/"
PAGES = (b"<!doctype html", b"<html")


def describe_stand_in(data: bytes) -> str | None:
    """What ``data``, a file's content, is in place of a network; None for any other."""
    if data.startswith(LFS_POINTER):
        return "is a pointer of Git LFS, and not the file itself; get that: git lfs pull"
    if data[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(PAGES):
        return (
            "is a page (HTML), and not the file itself, such as a site shows before a download; "
            "download the file that it leads to"
        )
    return None

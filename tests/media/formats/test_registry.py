"""A format is one object in one file: nothing else in media/ names one."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import subpixel.media
from subpixel.media.formats.format import EncodeOptions
from subpixel.media.formats.registry import FORMATS, PICTURE_SUFFIXES, format_of, list_names, sniff

ROOM = Path(subpixel.media.__file__).parent
FORMAT_NAMES = {form.name.lower().replace(" ", "_") for form in FORMATS}
NAMES = FORMAT_NAMES | {"jpg", "tif"}
OPTIONS = re.compile("|".join(EncodeOptions.__dataclass_fields__))
"""Public: what only one format has names it."""


def is_of_a_format(file: Path) -> bool:
    """Whether a file, or the room it is in, bears a format's name."""
    return not FORMAT_NAMES.isdisjoint({file.stem, *file.parts})


OTHERS = sorted(
    file
    for file in (path.relative_to(ROOM) for path in ROOM.rglob("*.py"))
    if not is_of_a_format(file)
)

COVER_NAMES = {"bmp", "gif", "jpeg", "jpg", "png", "tif", "tiff", "webp"}

SUBJECTS = {
    Path("formats/registry.py"): NAMES,
    Path("formats/plain/netpbm.py"): {"ppm", "pam"},  # what the two share
    Path("writing.py"): {"tiff", "tif"},  # the growing TIFF through which libvips is fed
    Path("jpeg_degradation.py"): {"jpeg", "webp"},  # what training has seen
    Path("compression/jpeg_seams.py"): {"jpeg"},  # what is left of a JPEG that was made smaller
    Path("film/survey/container.py"): {"gif", "png"},  # demuxers that are handed to FFmpeg
    Path("film/encoding/covers.py"): COVER_NAMES,  # codecs of FFmpeg, by what Matroska calls them
    Path("compression/jpeg_steps.py"): {"jpeg"},  # traces of a JPEG in pixels of any format
    Path("compression/jpeg_tables.py"): {"jpeg"},
    Path("compression/read.py"): {"jpeg", "webp"},  # one function for each
    Path("apart/child/services.py"): {"jpeg"},  # gain maps are JPEGs
    Path("formats/boxes/gain_map.py"): {"jpeg"},  # the same
    Path("apart/messages/answer.py"): {"jpeg", "webp"},  # two fields of Compression
    Path("arrays.py"): {"png", "tif", "tiff"},  # what Pillow hands over, and an example
    Path("metadata/exif.py"): {"tiff", "tif"},  # what an EXIF block is
    Path("photograph.py"): {"jpg"},  # the bundled file's name
}
"""What a file may name because it is about it; none of them looks at a picture's format."""


def words_of(code: str) -> Iterator[str]:
    """Every identifier and every text that is no docstring, word by word, in lower case."""
    tree = ast.parse(code)
    texts = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        names = [
            value
            for _, value in ast.iter_fields(node)
            if isinstance(value, str) and id(node) not in texts
        ]
        if isinstance(node, ast.JoinedStr):
            names += [part.value for part in node.values if isinstance(part, ast.Constant)]
        for name in names:
            yield from re.findall(r"[a-z]+", OPTIONS.sub("", name.lower()))


def formats_in(code: str) -> set[str]:
    """The formats that code names, also inside a word such as ``jpegsave``."""
    return {name for name in NAMES for word in words_of(code) if name in word}


@pytest.mark.parametrize("file", OTHERS, ids=str)
def test_no_other_file_names_a_format(file: Path) -> None:
    named = formats_in((ROOM / file).read_text(encoding="utf-8"))
    assert named <= SUBJECTS.get(file, set())


@pytest.mark.parametrize(
    "code",
    [
        'form.name == "GIF"',
        'TABLE = {"WebP": 10}',
        'f"use PNG, {name}"',
        "image.heifsave(); save_avif()",
        "from subpixel.media.formats import tiff",
        'suffix in (".jpg",)',
    ],
)
def test_the_check_sees_a_name(code: str) -> None:
    assert formats_in(code)
    assert not formats_in(f'def other():\n    """{code.replace(chr(34), "")}"""')


def test_each_format_has_its_own_file() -> None:
    for name in FORMAT_NAMES:
        assert len(list((ROOM / "formats").rglob(f"{name}.py"))) == 1
    assert len(FORMAT_NAMES) == len(FORMATS)


def test_names_and_suffixes_are_no_one_elses() -> None:
    suffixes = [suffix for form in FORMATS for suffix in form.suffixes]
    assert len(suffixes) == len(set(suffixes)) == len(PICTURE_SUFFIXES)
    for form in FORMATS:
        for suffix in form.suffixes:
            assert format_of(Path(f"a{suffix.upper()}")) is form


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\xff\xd8\xff\xe0" + bytes(12), "JPEG"),
        (b"\x89PNG\r\n\x1a\n" + bytes(8), "PNG"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "WebP"),
        (b"II*\0", "TIFF"),
        (b"MM\0+", "TIFF"),
        (b"\0\0\0\x1cftypavif", "AVIF"),
        (b"\0\0\0\x1cftypmif1", "AVIF"),
        (b"\0\0\0\x1cftypheic", "HEIC"),
        (b"\xff\x0a\xcb", "JPEG XL"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b"GIF87a", "GIF"),
        (b"GIF89a", "GIF"),
        (b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0", "BMP"),
        (b"P6\n", "PPM"),
        (b"P7\n", "PAM"),
    ],
)
def test_first_bytes_announce_one_format(head: bytes, name: str) -> None:
    form = sniff(head)
    assert form is not None
    assert form.name == name
    assert [other.name for other in FORMATS if other.recognize(head)] == [name]


def test_lists_for_people() -> None:
    assert list_names() == "JPEG, PNG, WebP, TIFF, AVIF, HEIC, JPEG XL, GIF, BMP, PPM or PAM"
    assert list_names(FORMATS[:2]) == "JPEG or PNG"
    assert list_names(FORMATS[:1]) == "JPEG"

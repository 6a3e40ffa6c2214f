"""The page: whole, self-contained, readable without sight of colour, and safe to open."""

import base64
import io
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from subpixel.parity.cases import Case
from subpixel.parity.matrix.difference import Difference, difference
from subpixel.parity.matrix.matrix import (
    Cell,
    CellOutcome,
    CellResult,
    MatrixReport,
    PropertyResult,
    TaskScore,
    VisibleDifference,
)
from subpixel.parity.matrix.page import escape, matrix_page
from subpixel.spec import ModelSpec

HOSTILE = "<script src='//x.example'>&\"</script>"
CASE = Case(1, 24, 32, "noise")
VOID = {"meta", "img", "br", "link", "hr", "input"}


@dataclass
class Page(HTMLParser):
    """What is in a page, and whether its elements are closed in order."""

    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def seen() -> Difference:
    random = np.random.default_rng(0)
    reference = random.random((1, 3, 48, 64), np.float32)
    shown = difference(CASE, reference, reference + np.float32(0.01))
    assert shown is not None
    return shown


@pytest.fixture(scope="module")
def report() -> MatrixReport:
    cells = {
        Cell("cpu", "fp32"): CellOutcome("passed", None, "CPU", 72, 0, 1, 1e-7, 141.0, CASE),
        Cell("cpu", "fp32", "none", 1): CellOutcome(
            "passed", None, "CPU", 72, 0, 0, 0.0, np.inf, CASE
        ),
        Cell("cpu", "bf16"): CellOutcome("not available", f"no kernel {HOSTILE}"),
        Cell("cpu", "int8"): CellOutcome("failed", "48.0 dB", "CPU", 72, 3, 9, 0.1, 48.0, CASE),
    }
    return MatrixReport(
        candidate=HOSTILE,
        reference=f"b {HOSTILE}",
        spec=ModelSpec(HOSTILE, 2, "rgb", "rgb", HOSTILE),
        floor_db=50.0,
        full_grid=72,
        grid=6,
        cells=tuple(CellResult(cell, outcome) for cell, outcome in cells.items()),
        properties=(
            PropertyResult("tiles", Cell("cpu", "fp32"), CellOutcome("passed", max_abs=0.0)),
        ),
        scores=(TaskScore("cpu", "fp32", 31.0, 0.0), TaskScore("cpu", "int8", 30.9, 0.1)),
        spots=(VisibleDifference((Cell("cpu", "int8"),), seen()),),
    )


@pytest.fixture(scope="module")
def page(report: MatrixReport) -> Page:
    page = Page()
    page.feed(matrix_page(report, {"Processor": HOSTILE}))
    page.close()
    assert page.open == []
    return page


def test_nothing_is_fetched_and_nothing_runs(report: MatrixReport, page: Page) -> None:
    html = matrix_page(report, {})
    assert not {"script", "link", "iframe", "object", "base"} & {tag for tag, _ in page.tags}
    assert "@import" not in html
    assert "url(" not in html
    for tag, attributes in page.tags:
        for name, value in attributes.items():
            assert name not in ("href", "srcset", "action", "style")
            assert not name.startswith("on")
            assert name != "src" or (tag == "img" and str(value).startswith("data:image/png;"))
    (policy,) = [m for m in page.all("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    assert str(policy["content"]).startswith("default-src 'none';")


def test_every_picture_decodes_and_says_what_it_is(report: MatrixReport, page: Page) -> None:
    shown = report.spots[0].difference
    pictures = page.all("img")
    assert len(pictures) == 3
    expected = (shown.reference, shown.candidate, shown.amplified)
    for attributes, pixels in zip(pictures, expected, strict=True):
        data = base64.b64decode(str(attributes["src"]).partition(",")[2], validate=True)
        decoded = np.asarray(Image.open(io.BytesIO(data)))
        assert np.array_equal(decoded, pixels)
        assert (attributes["width"], attributes["height"]) == ("64", "48")
        assert attributes["alt"]
    assert len({attributes["alt"] for attributes in pictures}) == 3


def test_words_carry_the_verdicts(page: Page) -> None:
    text = " ".join(page.text)
    assert "✗ Not verified" in text
    assert "4 cells and 1 properties: 3 passed, 1 failed, 1 not available." in text
    for words in ("✓ passed", "✗ failed", "– not available", "141.0 dB", "equal", "48.0 dB"):
        assert words in text
    assert "at least 50 dB from the fp32 file" in text
    assert "72 where the file's own precision runs at the defaults, 6 in every other cell" in text
    assert "Difference × 32" in text
    assert "+0.100 dB" in text


def test_names_are_text_and_never_markup(page: Page) -> None:
    assert HOSTILE in page.text
    assert any(HOSTILE in text and text.startswith("no kernel") for text in page.text)


def test_markup_and_controls_are_shown() -> None:
    assert escape("<a b=\"c\" d='e'>\x1b[2J\u202e") == (
        "&lt;a b=&quot;c&quot; d=&#x27;e&#x27;&gt;\\x1b[2J\\u202e"
    )


def test_tables_have_headers(page: Page) -> None:
    heads = page.all("th")
    assert heads
    assert {attributes.get("scope") for attributes in heads} == {"col", "row", "rowgroup"}
    assert len(page.all("caption")) == len(page.all("table"))
    (root,) = page.all("html")
    assert root["lang"] == "en-GB"


def test_a_report_that_passed_and_had_nothing_to_show(report: MatrixReport) -> None:
    passed = replace(report, cells=report.cells[:2], properties=(), scores=(), spots=(), grid=72)
    page = Page()
    page.feed(matrix_page(passed, {}))
    text = " ".join(page.text)
    assert "✓ Verified" in text
    assert "72 in every cell" in text
    assert not {"Reasons", "Machine", "Quality of the task", "True to itself"} & set(page.text)

"""Every code block of every page is run as it stands, in a folder like a reader's."""

import re
import shutil
import sys
from collections import Counter
from pathlib import Path

import pytest

import subpixel
from markdown_blocks import Block, find_indented_code, parse_blocks, read_blocks
from reader_folder import REPOSITORY, make_reader_folder, run_python, run_shell
from subpixel.cli.main import VERBS

DOCS = REPOSITORY / "docs"
PAGES = sorted([*DOCS.glob("*.md"), REPOSITORY / "CHANGELOG.md", REPOSITORY / "CONTRIBUTING.md"])
BLOCKS = [(page, block) for page in PAGES for block in read_blocks(page)]
RUN = [(page, block) for page, block in BLOCKS if block.language != "text" and not block.not_run]
NOT_RUN = Counter(
    {
        "needs the network": 9,
        "takes hours": 3,
        "takes a minute": 1,
        "it runs until it is ended": 3,
        "needs tritonclient, in an environment of its own": 1,
        "needs the extra bytes": 1,
        "needs the extra ray, a cluster and a bucket": 1,
        "needs schemathesis and a server that runs": 1,
        "takes an hour, and sets up other systems": 1,
        "installs into an environment": 1,
        "needs the network, 761 MB": 1,
        "trains for an hour": 1,
        "trains for hours": 1,
        "installs into the user's folders": 1,
        "needs benchmark data": 1,
    }
)
"""The reasons why blocks are not run, and how many have each."""

SLOW = {"choosing", "packaging", "pictures", "target-size", "third-party", "untrusted"}
"""Pages of many commands, each a process that loads networks: seconds a page."""


def _parameter(page: Path, block: Block) -> object:
    marks = [pytest.mark.slow] if block.slow or page.stem in SLOW else []
    if block.language == "sh":
        posix = "the blocks are written for a POSIX shell"
        marks.append(pytest.mark.skipif(sys.platform == "win32", reason=posix))
    return pytest.param(page, block, id=f"{page.name}:{block.line}", marks=marks)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reader")
    make_reader_folder(folder)
    return folder


@pytest.fixture(scope="module")
def folders(template: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Path]:
    """A folder for each page: its blocks follow one another in it."""
    folders = {}
    for page in PAGES:
        folders[page] = tmp_path_factory.mktemp(page.stem) / "reader"
        shutil.copytree(template, folders[page])
    return folders


@pytest.mark.parametrize(("page", "block"), [_parameter(page, block) for page, block in RUN])
def test_block_runs(folders: dict[Path, Path], page: Path, block: Block) -> None:
    folder = folders[page]
    for earlier in read_blocks(page):
        if earlier.saved_as:
            (folder / earlier.saved_as).write_text(earlier.body, encoding="utf-8")
    if block.language == "sh":
        run_shell(block.body, folder)
    else:
        run_python(block.body, folder)


def test_each_block_says_what_it_is() -> None:
    faults = [
        f"{page.name}:{block.line}"
        for page, block in BLOCKS
        if block.language not in {"sh", "python", "text"} or block.indent
    ]
    assert faults == []


def test_blocks_that_are_not_run_are_counted() -> None:
    assert Counter(block.not_run for _, block in BLOCKS if block.not_run) == NOT_RUN


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_code_is_hidden_by_indentation(page: Path) -> None:
    assert find_indented_code(page.read_text(encoding="utf-8")) == []


def test_marks_and_languages_are_read() -> None:
    text = (
        "a\n\n<!-- not run: no GPU -->\n```sh\nx\n```\n\n```python\n# net.py\ny\n```\n\n    code\n"
    )
    shell, python = parse_blocks(text)
    assert (shell.line, shell.language, shell.body, shell.not_run) == (4, "sh", "x\n", "no GPU")
    assert (python.saved_as, python.not_run, python.slow) == ("net.py", "", "")
    assert find_indented_code(text) == [13]
    with pytest.raises(ValueError, match="line 1 has no end"):
        parse_blocks("```sh\nx\n")


def test_every_page_has_its_place() -> None:
    _, navigation = (REPOSITORY / "mkdocs.yml").read_text(encoding="utf-8").split("\nnav:\n")
    pages = re.findall(r": ([\w-]+\.md)$", navigation, flags=re.MULTILINE)
    assert sorted(pages) == sorted(page.name for page in DOCS.glob("*.md"))


def test_python_reference_is_complete() -> None:
    text = (DOCS / "api.md").read_text(encoding="utf-8")
    listed = re.findall(r"^::: subpixel\.(\w+)$", text, flags=re.MULTILINE)
    public = set(subpixel.__all__) - {"__version__", "SubpixelError"}  # the tree of errors has that
    assert set(listed) == public | {"errors"}


def test_commands_of_the_pages_exist() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    commands = set(re.findall(r"^subpixel (\w+)", text, flags=re.MULTILINE))
    assert commands
    assert commands <= set(VERBS)


PATHS = re.compile(r"`((?:src|tests|scripts|benchmarks|docs|weights)/[\w./-]*)[^`]*`")


@pytest.mark.parametrize("page", [*PAGES, REPOSITORY / "README.md"], ids=lambda page: page.name)
def test_files_that_are_named_exist(page: Path) -> None:
    names = PATHS.findall(page.read_text(encoding="utf-8"))
    assert [n for n in names if not (REPOSITORY / n).exists() and "NAME" not in n] == []


def test_the_map_has_every_room() -> None:
    """CONTRIBUTING.md's map: a line for each folder of the package, and none for another."""
    text = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    package = text.split("src/subpixel/\n")[1].split("tests/ ")[0]
    drawn: set[Path] = set()
    above: list[str] = []
    for indent, name in re.findall(r"^( +)(\w+)/ ", package, flags=re.MULTILINE):
        above = [*above[: len(indent) // 2 - 1], name]
        drawn.add(Path(*above))
    root = REPOSITORY / "src" / "subpixel"
    files = [file for pattern in ("__init__.py", "*.js") for file in root.rglob(pattern)]
    vendor = Path("serve/page/vendor")  # fetched by `make page`
    assert drawn == {file.parent.relative_to(root) for file in files} - {Path(), vendor}

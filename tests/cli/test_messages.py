"""How other tools are told their files is understood, and answered with the line that was meant."""

import shlex
from pathlib import Path

import pytest

from subpixel.cli.main import run

TYPED = [
    ("cat.jpg out.jpg", "no such command 'cat.jpg'", "cat.jpg -o out.jpg", "subpixel"),
    ("cat.jpg", "no such command 'cat.jpg'", "cat.jpg", "subpixel"),
    ("pictures", "no such command 'pictures'", "pictures", "subpixel"),
    ("cat.jpg dog.jpg", "no such command 'cat.jpg'", "cat.jpg dog.jpg", "subpixel"),
    ("cat.jpg -resize 300% out.png", "no such command 'cat.jpg'", "cat.jpg -o out.png", "subpixel"),
    ("i cat.jpg out.png", "no such command 'i'", "cat.jpg -o out.png", "subpixel"),
    ("-i cat.jpg -o out.png -s 4", "no such option -i", "cat.jpg -o out.png --scale 4", "subpixel"),
    ("--input 'my cat.jpg'", "no such option --input", "'my cat.jpg'", "subpixel"),
    (
        "upscale -i cat.jpg -o out.jpg",
        "no such option -i",
        "cat.jpg -o out.jpg",
        "subpixel upscale",
    ),
    ("upscale cat.jpg -s 2", "no such option -s", "cat.jpg --scale 2", "subpixel upscale"),
]


@pytest.mark.parametrize(("line", "fault", "meant", "command"), TYPED)
def test_the_line_that_was_meant_is_suggested(
    line: str,
    fault: str,
    meant: str,
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pictures").mkdir()
    for name in ("cat.jpg", "dog.jpg"):
        (tmp_path / name).touch()
    assert run(shlex.split(line)) == 2
    assert capsys.readouterr() == (
        "",
        f"subpixel: {fault}; did you mean subpixel upscale {meant}? (see {command} --help)\n",
    )


def test_a_second_picture_that_is_not_there_was_meant_as_the_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("cat.jpg").write_text("words")
    assert run(["upscale", "cat.jpg", "larger cat.jpg"]) == 1
    assert "; did you mean -o 'larger cat.jpg'?" in capsys.readouterr().err
    Path("dog.jpg").write_text("words")
    assert run(["upscale", "cat.jpg", "dog.jpg"]) == 1
    assert "did you mean" not in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["upscale cat.jpg --model", "info", "tune --model"])
@pytest.mark.parametrize("name", ["net.pth", "folder/net.safetensors", "net.CKPT"])
def test_a_checkpoint_is_to_be_exported_first(
    verb: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*verb.split(), name]) == 2
    assert capsys.readouterr().err == (
        f"subpixel: {name} is a checkpoint: make a network file of it first: "
        f"subpixel export {name} -o net.onnx\n"
    )


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("help", "no such command 'help'; did you mean subpixel --help? (see subpixel --help)"),
        (
            "help upscale",
            "no such command 'help'; did you mean subpixel upscale --help? (see subpixel --help)",
        ),
        (
            "models help get",
            (
                "no such command 'help'; did you mean subpixel models get --help? "
                "(see subpixel models --help)"
            ),
        ),
        (
            "version",
            "no such command 'version'; did you mean subpixel --version? (see subpixel --help)",
        ),
    ],
)
def test_who_asks_for_help_or_the_version_gets_the_option(
    line: str, answer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(line.split()) == 2
    assert capsys.readouterr().err == f"subpixel: {answer}\n"


def test_names_that_are_no_files_say_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["info", "auto"]) == 2
    assert "auto is no network: it chooses one for each picture" in capsys.readouterr().err
    for name in ("drawing", "denoise-50"):
        assert run(["info", name]) == 2
        assert f"{name} has no file of its own" in capsys.readouterr().err
    assert run(["info", "drawings"]) == 2
    assert capsys.readouterr().err.endswith("; did you mean drawing?\n")


def test_options_of_third_party_files_beside_a_bundled_network(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for words in ("--layout nhwc", "--output-name y --model fast", "--set-input a=1 --denoise 1"):
        assert run(["upscale", "a.png", *words.split()]) == 2
        assert "is bundled, and how its networks take pixels is known" in capsys.readouterr().err

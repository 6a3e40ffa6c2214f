import warnings
from pathlib import Path

import click
import pytest

from subpixel.cli.main import VERBS, Verbs, run
from subpixel.cli.options.choices import DEVICE_NAME, SIZE, DeviceName
from subpixel.cli.pictures.upscale import UpscaleCommand, command
from subpixel.zoo.manifest import find_bundled


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1G", 10**9),
        ("1GB", 10**9),
        ("500M", 5 * 10**8),
        ("1.5GiB", 3 << 29),
        ("2gi", 2 << 30),
        ("64 kB", 64_000),
        (".5T", 5 * 10**11),
        ("123", 123),
        ("7B", 7),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert SIZE.convert(text, None, None) == size


@pytest.mark.parametrize("text", ["", "G", "1X", "-1G", "0", "0G", "1G1", "1 000", "1e9", "nan"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(click.BadParameter, match="500M, 1G or"):
        SIZE.convert(text, None, None)


def test_the_help_of_upscale_has_every_option_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["upscale", "--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line and not line.startswith(" ")][1:] == [
        *(f"{title}:" for title in UpscaleCommand.sections),
        "Other options:",
    ]
    starts = [line.split()[0].rstrip(",") for line in lines if line.startswith("  -")]
    options = [option.opts[0] for option in command.params if isinstance(option, click.Option)]
    assert sorted(starts) == sorted([*options, "-h"])


def test_limits_of_numbers_are_no_formulas(capsys: pytest.CaptureFixture[str]) -> None:
    for verb in ("upscale", "serve", "evaluate", "train"):
        assert run([verb, "--help"]) == 0
        shown = capsys.readouterr().out
        assert " RANGE  " not in shown.replace("-range RANGE  ", "")
        assert "x>=" not in shown
        assert "<=x" not in shown


@pytest.mark.parametrize("name", ["CPU", "Cpu", "cpu"])
def test_a_device_in_any_case(name: str) -> None:
    parameter = click.Option(["--device"], type=DEVICE_NAME)
    assert parameter.type.convert(name, parameter, None) == "cpu"


def test_every_device_option_takes_any_case() -> None:
    """Of each command that has one."""
    options = [
        parameter
        for verb in VERBS
        if (command := Verbs().get_command(click.Context(click.Command("x")), verb))
        for parameter in command.params
        if "--device" in parameter.opts
    ]
    assert len(options) >= 7
    assert {type(option.type) for option in options} == {DeviceName}


@pytest.mark.parametrize(
    "line",
    [
        "info {file}",
        "tune --model {file}",
        "quantize --model {file} -o {out}",
        "package {file} -o {out} --target docker",
        "evaluate --model {file} --data {folder}",
    ],
)
def test_no_verb_takes_a_scale_that_is_not_the_file_s(
    line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, out = find_bundled("fast", 2).path, tmp_path / "out.onnx"
    words = line.format(file=file, out=out, folder=tmp_path).split()
    assert run([*words, "--scale", "3"]) == 2
    assert f"{file} enlarges by 2, not by 3; leave out the scale" in capsys.readouterr().err
    assert not out.exists()


def test_nor_one_that_is_not_the_program_s(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch = pytest.importorskip("torch")
    file = tmp_path / "program.pt"
    larger = torch.nn.Sequential(torch.nn.Conv2d(3, 12, 1), torch.nn.PixelShuffle(2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(torch.jit.script(larger), file)
    words = ["evaluate", "--model", str(file), "--data", str(tmp_path), "--scale", "3"]
    assert run(words) == 2
    assert "enlarges by 2, not by 3; leave out the scale" in capsys.readouterr().err

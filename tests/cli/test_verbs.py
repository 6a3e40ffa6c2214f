"""The other verbs, as a user types them."""

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import pyvips
import safetensors.torch
import torch
from PIL import Image, ImageCms

from backbones import unreachable_backbones
from subpixel.cli.main import VERBS, run
from subpixel.nets.architectures.plain import PlainNet
from subpixel.nets.export.exporters import DEFAULT_OPSET
from subpixel.runtime.devices import DEVICES
from subpixel.zoo.manifest import find_bundled, read_manifest

FAST = Path(__file__).resolve().parents[2] / "weights" / "fast-x3.safetensors"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("net") / "net.safetensors"
    torch.manual_seed(0)
    safetensors.torch.save_file(PlainNet(2, channels=4, depth=1).state_dict(), file)
    return file


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([verb, "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"Usage: subpixel {verb}")


def test_help_names_what_the_code_has(capsys: pytest.CaptureFixture[str]) -> None:
    """Written out in the options, where importing the code would load ONNX Runtime and PyTorch."""
    run(["upscale", "--help"])
    said = capsys.readouterr().out
    assert all(device in said for device in ("auto", *DEVICES))
    run(["export", "--help"])
    assert f"[default: {DEFAULT_OPSET}]" in capsys.readouterr().out


def test_an_unknown_verb_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["enlarge"]) == 2
    assert "no such command" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("upscal", "no such command 'upscal'; did you mean upscale? (see subpixel --help)"),
        ("enlarge", "no such command 'enlarge'; did you mean upscale? (see subpixel --help)"),
        ("abacus", "no such command 'abacus' (see subpixel --help)"),
        (
            "models serch x",
            "no such command 'serch'; did you mean search? (see subpixel models --help)",
        ),
        (
            "upscale a.png --tiel 3",
            "no such option --tiel; did you mean --tile? (see subpixel upscale --help)",
        ),
        ("export a.pth", "missing option '-o' / '--output' (see subpixel export --help)"),
        (
            "upscale a.png --tile -1",
            (
                "invalid value for '--tile': '-1' is no whole number of 0 or more "
                "(see subpixel upscale --help)"
            ),
        ),
        ("verify a.onnx --bench x", "--bench needs --matrix (see subpixel verify --help)"),
        ("upscale a.png --tile", "option '--tile' requires an argument"),
    ],
)
def test_a_wrong_command_line_is_answered_in_one_line(
    line: str, answer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(line.split()) == 2
    assert capsys.readouterr() == ("", f"subpixel: {answer}\n")


def test_a_mistyped_network_gets_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["info", "balancd"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("subpixel: model 'balancd' is neither a bundled network (")
    assert error.endswith("; did you mean balanced, balanced-int8?\n")


def test_a_command_without_arguments_shows_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    run(["upscale"])
    assert "".join(capsys.readouterr()).startswith("Usage: subpixel upscale")


@pytest.mark.slow
def test_export_then_verify(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "net.onnx"
    assert run(["export", str(checkpoint), "-o", str(out)]) == 0
    assert f"wrote     {out}" in capsys.readouterr().out
    assert run(["verify", str(out), "--against", str(checkpoint), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["passed"] is True
    assert report["provider"] == "CPUExecutionProvider"
    assert {result["case"]["content"] for result in report["results"]} >= {"noise", "photo"}


@pytest.mark.slow
def test_verify_fails_on_another_network(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.safetensors"
    torch.manual_seed(1)
    safetensors.torch.save_file(PlainNet(2, channels=4, depth=1).state_dict(), other)
    out = tmp_path / "net.onnx"
    assert run(["export", str(checkpoint), "-o", str(out)]) == 0
    assert run(["verify", str(out), "--against", str(other)]) == 1
    assert "code values differ" in capsys.readouterr().out


def test_export_refuses_what_no_exporter_writes(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["export", str(checkpoint), "-o", str(tmp_path / "net.onnx")]
    assert run([*arguments, "--exporter", "dynamo", "--opset", "10"]) == 1
    assert "opset 10 is out of reach of dynamo" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_info_of_a_bundled_network(capsys: pytest.CaptureFixture[str]) -> None:
    row = find_bundled("fast", 3)
    assert run(["info", str(row.path), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["facts"] == "written in the file"
    assert (facts["scale"], facts["halo"], facts["interface"]) == (3, 7, "rgb")
    assert facts["parameters"] == row.parameters
    assert round(facts["multiply_adds_per_pixel"]) == row.multiply_adds


def test_models_lists_what_is_bundled(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [(row["name"], row["scale"]) for row in listed] == [
        (row.name, row.scale) for row in read_manifest()
    ]
    assert all(Path(row["path"]).is_file() for row in listed)
    assert run(["models"]) == 0
    assert "fast" in capsys.readouterr().out


def test_doctor_runs_a_network_on_the_processor(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    states = {state["device"]: state for state in found["devices"]}
    assert states["cpu"]["works"] is True
    assert all(state["works"] or state["detail"] for state in found["devices"])
    assert found["packages"]["onnxruntime"]


def test_compare_makes_a_sheet(tmp_path: Path) -> None:
    small = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    Image.fromarray(small).save(tmp_path / "a.png")
    Image.fromarray(small.repeat(3, 0).repeat(3, 1)).save(tmp_path / "b.png")
    arguments = ["compare", str(tmp_path / "a.png"), str(tmp_path / "b.png")]
    sheet = tmp_path / "sheet.png"
    assert run([*arguments, "-o", str(sheet)]) == 0
    with Image.open(sheet) as image:
        assert image.width > 900
    assert run([*arguments, "-o", str(sheet)]) == 1, "the sheet exists"
    assert run([*arguments, "-o", str(sheet), "--overwrite", "--spot", "170", "0", "20"]) == 2


def test_compare_lays_upright_pictures_in_srgb_side_by_side(tmp_path: Path) -> None:
    """The same picture, once turned and of a wide gamut: both halves of the sheet are equal."""
    pixels = np.kron(np.arange(48, dtype=np.uint8).reshape(4, 4, 3) * 5, np.ones((20, 30, 1)))
    upright = Image.fromarray(pixels.astype(np.uint8))
    upright.save(tmp_path / "a.png")
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    wide = ImageCms.ImageCmsProfile(io.BytesIO(pyvips.Operation.call("profile_load", "p3")))
    turned = ImageCms.profileToProfile(upright, profile, wide, outputMode="RGB")
    turned = turned.transpose(Image.Transpose.ROTATE_90)  # 6 turns it back, clockwise
    tag = Image.Exif()
    tag[0x0112] = 6
    turned.save(tmp_path / "b.png", exif=tag, icc_profile=wide.tobytes())
    sheet = tmp_path / "sheet.png"
    order = ["compare", str(tmp_path / "a.png"), str(tmp_path / "b.png"), "-o", str(sheet)]
    assert run([*order, "--spot", "0", "0", "40"]) == 0
    with Image.open(sheet) as image:
        left, right = (np.asarray(image, int)[:, part] for part in (slice(480), slice(-480, None)))
    assert np.abs(left - right).max() <= 3


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    folder = tmp_path / "truth"
    folder.mkdir()
    picture = np.random.default_rng(0).integers(0, 256, (45, 57, 3), dtype=np.uint8)
    Image.fromarray(picture).save(folder / "a.png")
    return folder


def test_evaluate_prints_the_mean(truth: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evaluate", "--data", str(truth), "--scale", "3", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["network"] == found["scores"][0]["network"]
    always, asked = {"psnr", "ssim", "psnr_rgb", "ssim_rgb"}, ("lpips", "dists", "brisque")
    assert found["bicubic"].keys() == {*always, *asked}
    assert all(found["bicubic"][name] is None for name in asked)


def test_evaluate_says_where_the_small_pictures_are_from(
    truth: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["evaluate", "--model", "fast", "--data", str(truth), "--scale", "3"]
    assert run(command) == 0
    assert "on truth, small pictures from bicubic reduction, PSNR" in capsys.readouterr().out
    (truth / "x3").mkdir()
    Image.new("RGB", (19, 15)).save(truth / "x3" / "a.png")
    (truth / "notes.txt").touch()
    assert run([*command, "--json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["low_resolution"] == "x3/"
    assert said.err == f"subpixel: left out of {truth}: 1 file that is no picture (notes.txt)\n"


@pytest.mark.parametrize(
    ("others", "made"),
    [
        (["a.jpg"], ["a.jpg.png", "a.png"]),
        (["A.webp", "b.jpg"], ["A.webp.png", "a.png", "b.png"]),
        (["a.jpg", "a.jpg.png"], "a.jpg and a.jpg.png would both become a.jpg.png; rename one"),
    ],
)
def test_evaluate_writes_each_picture_under_a_name_of_its_own(
    truth: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    others: list[str],
    made: list[str] | str,
) -> None:
    for name in others:
        Image.new("RGB", (45, 57)).save(truth / name)
    out = tmp_path / "made"
    command = ["evaluate", "--model", "fast", "--data", str(truth), "--pictures", str(out)]
    assert run(command) == (2 if isinstance(made, str) else 0)
    if isinstance(made, str):
        assert made in capsys.readouterr().err
        assert not out.exists()
        return
    assert sorted(file.name for file in out.iterdir()) == made
    capsys.readouterr()
    (out / "a.png").rename(out / "kept")
    (out / made[0]).write_text("mine")
    assert run(command) == 1
    assert f"{made[0]} exists" in capsys.readouterr().err
    assert not (out / "a.png").exists(), "the names are looked at before the first picture"


def test_evaluate_spares_what_a_link_among_its_results_leads_to(
    truth: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (picture,) = truth.iterdir()
    before, out = picture.read_bytes(), tmp_path / "made"
    out.mkdir()
    (out / f"{picture.stem}.png").symlink_to(picture)
    command = ["evaluate", "--data", str(truth), "--pictures", str(out), "--overwrite"]
    assert run(command) == 2
    assert "is one of the inputs, which are never overwritten" in capsys.readouterr().err
    assert picture.read_bytes() == before


def test_evaluate_shows_perceptual_distances_when_asked(
    truth: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    judge = lambda picture, truth: (0.25, 0.125)  # noqa: E731
    monkeypatch.setattr("subpixel.nets.perceptual.load_perceptual", lambda tell: judge)
    for asked in (False, True):
        assert run(["evaluate", "--data", str(truth), *["--perceptual"] * asked]) == 0
        printed = capsys.readouterr().out
        assert [printed.count(said) for said in ("LPIPS", "DISTS")] == [2 * asked, 2 * asked]
        assert [printed.count(said) for said in ("0.2500", "0.1250")] == [4 * asked, 4 * asked]


def test_evaluate_shows_brisque_when_asked(
    truth: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("subpixel.cli.networks.evaluate.expect_installed", lambda package: None)
    monkeypatch.setattr(
        "subpixel.nets.naturalness.load_brisque", lambda tell: lambda picture: 31.416
    )
    for asked in (False, True):
        assert run(["evaluate", "--data", str(truth), *["--brisque"] * asked]) == 0
        printed = capsys.readouterr().out
        assert [printed.count(said) for said in ("BRISQUE", "31.42")] == [2 * asked, 4 * asked]


def test_evaluate_without_piq_says_what_to_install(
    truth: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("subpixel.system.extras.find_spec", lambda package: None)
    assert run(["evaluate", "--data", str(truth), "--brisque"]) == 1
    printed = capsys.readouterr().err
    assert "the package piq" in printed
    assert "pip install '.[perceptual]'" in printed


def test_evaluate_without_the_perceptual_weights_writes_nothing(
    truth: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    weights = unreachable_backbones(tmp_path / "home", monkeypatch)
    command = ["evaluate", "--data", str(truth), "--pictures", str(tmp_path / "made")]
    assert run([*command, "--perceptual"]) == 1
    printed = capsys.readouterr()
    told, refused = printed.err.splitlines()
    assert told.startswith("subpixel: fetching file:///")
    assert all(str(file) in refused for file in weights)
    assert not printed.out
    assert not (tmp_path / "made").exists()


def test_evaluate_without_the_perceptual_extra_says_what_to_install(
    truth: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "torchmetrics", None)
    assert run(["evaluate", "--data", str(truth), "--perceptual"]) == 1
    assert "pip install '.[perceptual]'" in capsys.readouterr().err


def test_a_checkpoint_is_measured_as_its_file_is(
    truth: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The bundled network under ONNX Runtime, and its weights under PyTorch: the same pictures."""
    results = []
    for model, out in (("fast", "onnx"), (str(FAST), "torch")):
        command = ["evaluate", "--model", model, "--data", str(truth), "--json", "--pictures"]
        assert run([*command, str(tmp_path / out)]) == 0
        results.append(json.loads(capsys.readouterr().out)["network"])
    assert results[0] == pytest.approx(results[1], abs=1e-3)
    a, b = (np.asarray(Image.open(tmp_path / out / "a.png"), int) for out in ("onnx", "torch"))
    assert a.shape == (45, 57, 3)
    assert np.abs(a - b).max() <= 1


def test_evaluate_of_another_scale_is_refused(
    truth: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--model", str(FAST), "--data", str(truth), "--scale", "2"]
    assert run(["evaluate", *arguments]) == 1
    assert "enlarges by 3, not by 2" in capsys.readouterr().err


def _imported(program: str) -> set[str]:
    code = f"import sys; {program}; print(*sorted({{m.partition('.')[0] for m in sys.modules}}))"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return set(result.stdout.split())


HEAVY = {"torch", "onnx", "onnxruntime", "onnxscript", "pyvips", "PIL", "rich"}


@pytest.mark.parametrize(
    "program",
    [
        "import subpixel",
        "from subpixel.cli.main import run; assert run(['--version']) == 0",
        "from subpixel.cli.main import run; assert run(['--help']) == 0",
    ],
)
def test_importing_and_help_load_nothing_heavy(program: str) -> None:
    assert not HEAVY & _imported(program)


def test_upscaling_loads_neither_torch_nor_onnx(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    file = str(tmp_path / "a.png")
    program = f"from subpixel.cli.main import run; assert run(['upscale', {file!r}]) == 0"
    assert not (HEAVY - {"onnxruntime", "pyvips"}) & _imported(program)


def test_evaluate_loads_torch_only_for_what_needs_it(truth: Path) -> None:
    command = ["evaluate", "--data", str(truth)]
    program = f"from subpixel.cli.main import run; assert run({command!r}) == 0"
    assert not {"torch", "torchmetrics"} & _imported(program)


@pytest.mark.slow
def test_a_verb_without_its_extra_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules.update({'safetensors': None, 'safetensors.torch': None})\n"
        "from subpixel.cli.main import run; sys.exit(run(['export', 'x.pth', '-o', 'x.onnx']))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 1
    assert "pip install '.[torch]'" in done.stderr


@pytest.mark.slow
def test_quantize(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "fast.onnx"
    command = ["quantize", "--model", "fast", "--scale", "2", "-o", str(out), "--precision", "int8"]
    assert run([*command, "--floor-db", "90"]) == 1
    assert "nothing was written" in capsys.readouterr().out
    assert not out.exists()
    assert run([*command, "--floor-db", "40", "--task-loss", "0.5"]) == 0
    assert "wrote" in capsys.readouterr().out
    assert run(["info", str(out)]) == 0
    assert "int8" in capsys.readouterr().out
    assert run([*command, "--overwrite", "--bench", str(tmp_path / "none")]) == 2


def test_train_refuses_a_teacher_of_another_scale(
    truth: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["train", "--data", str(truth), "--scale", "2", "-o", str(tmp_path / "net.onnx")]
    assert run([*command, "--teacher", str(FAST)]) == 1
    said = capsys.readouterr().err
    assert f"{FAST}: enlarges by 3, not by 2; say 3, or name another" in said
    assert list(tmp_path.iterdir()) == [truth], "nothing was begun"

"""`subpixel adopt`, and `upscale` on somebody else's file: the same pictures."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from PIL import Image

import disguises
from subpixel.cli.main import run
from subpixel.network.identify import describe

BGR = ["--channel-order", "bgr"]


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    file = tmp_path / "photo.png"
    y, x = np.mgrid[:24, :30]
    Image.fromarray(np.stack([8 * x, 10 * y, 255 - 8 * x], axis=2).astype(np.uint8)).save(file)
    return file


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    file = tmp_path / "theirs.onnx"
    network = disguises.bundled("fast-x2")
    onnx.save(disguises.nhwc(disguises.codes(disguises.bgr(network))), file)
    return file


def upscaled(photo: Path, *options: str) -> np.ndarray:
    out = photo.with_name("out.png")
    assert run(["upscale", str(photo), "-o", str(out), "--overwrite", *options]) == 0
    with Image.open(out) as image:
        return np.asarray(image, int)


@pytest.mark.slow
def test_a_third_party_file_gives_the_picture_of_the_network_inside(
    photo: Path, theirs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = upscaled(photo, "--model", "fast", "--scale", "2", "--precision", "fp32")
    raw = upscaled(photo, "--model", str(theirs), *BGR)
    said = f"subpixel: {theirs}: taken as float NHWC, BGR, values in 0..255, x2\n"
    assert capsys.readouterr() == ("", said)
    adopted = tmp_path / "adopted.onnx"
    assert run(["adopt", str(theirs), "-o", str(adopted), *BGR]) == 0
    assert capsys.readouterr().out == f"{adopted}: float NHWC, BGR, values in 0..255, x2\n"
    again = upscaled(photo, "--model", str(adopted))
    assert capsys.readouterr() == ("", "")
    assert np.abs(raw - expected).max() <= 1
    assert (again == raw).all()
    assert describe(adopted)[1]


@pytest.mark.sample(every=5)
@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        ([], 1, "state it: --channel-order rgb"),
        (["--input-range", "0..256"], 2, "it is one of 0..1, 0..255, -1..1, mean/std"),
        (["--set-input", "sigma"], 2, "NAME=VALUE"),
        ([*BGR, "--set-input", "sigma=1"], 2, "there is no input 'sigma'"),
        ([*BGR, "--output-name", "mask"], 2, "there is no output 'mask'"),
        ([*BGR, "--layout", "nchw"], 1, "4-D|layout|channels|shape"),
    ],
)
def test_refusals_say_what_to_do(
    theirs: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    code: int,
    message: str,
) -> None:
    out = tmp_path / "out.onnx"
    assert run(["adopt", str(theirs), "-o", str(out), *options]) == code
    said = capsys.readouterr().err
    assert any(part in said for part in message.split("|"))
    assert not out.exists()


def test_conventions_are_for_third_party_files(
    photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["upscale", str(photo), "--model", "fast", "--layout", "nhwc"]) == 2
    assert "are for third-party files" in capsys.readouterr().err


def test_an_ordinary_file_is_not_adopted_again(
    theirs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = tmp_path / "first.onnx", tmp_path / "second.onnx"
    assert run(["adopt", str(theirs), "-o", str(first), *BGR]) == 0
    assert run(["adopt", str(theirs), "-o", str(first), *BGR]) == 1
    assert "exists" in capsys.readouterr().err
    assert run(["adopt", str(first), "-o", str(second)]) == 1
    assert "nothing to adopt" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["info", "quantize"])
def test_other_verbs_send_to_adopt(
    theirs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    onnx.save(disguises.ycbcr(disguises.bundled("fast-x2")), theirs)
    more = ["--model", str(theirs), "-o", str(tmp_path / "q.onnx")]
    assert run([verb, *([str(theirs)] if verb == "info" else more)]) == 1
    assert "subpixel adopt" in capsys.readouterr().err


def ort_file(model: onnx.ModelProto, file: Path) -> Path:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.optimized_model_filepath = str(file)
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.add_session_config_entry("session.save_model_format", "ORT")
    onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return file


def test_a_file_of_onnx_runtimes_own_format_runs_as_it_is(
    photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = ort_file(disguises.bundled("fast-x2"), tmp_path / "theirs.ort")
    made = upscaled(photo, "--model", str(file), "--channel-order", "rgb")
    plain = upscaled(photo, "--model", "fast", "--scale", "2", "--precision", "fp32")
    assert np.abs(made - plain).max() <= 1
    assert f"{file}: taken as float NCHW, values in 0..1" in capsys.readouterr().err
    assert run(["adopt", str(file), "-o", str(tmp_path / "out.onnx")]) == 1
    said = capsys.readouterr().err
    assert "ONNX Runtime's own format" in said
    assert "cut short" not in said


def test_what_a_file_of_that_format_can_not_be_is_refused(
    photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = disguises.ycbcr(disguises.bundled("fast-x2"))
    file = ort_file(network, tmp_path / "theirs.ort")
    assert run(["upscale", str(photo), "--model", str(file)]) == 1
    assert "adopt the ONNX file that it was made from" in capsys.readouterr().err

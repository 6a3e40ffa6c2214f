"""`subpixel upscale` as a user types it: files in, files and exit codes out."""

import io
import json
import re
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

from insertions import INSERTIONS, Insertion
from journals import result_files
from networks import classifier, sub_pixel_network
from subpixel.cli.main import run


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    file = tmp_path / "photo.png"
    y, x = np.mgrid[:20, :30]
    rgb = np.stack([8 * x, 12 * y, 255 - 8 * x], axis=2).astype(np.uint8)
    Image.fromarray(rgb).save(file)
    return file


def _pixels(file: Path) -> np.ndarray:
    with Image.open(file) as image:
        return np.asarray(image, int)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_picture_gets_larger_beside_itself(photo: Path, scale: int) -> None:
    assert run(["upscale", str(photo), "--scale", str(scale)]) == 0
    larger = _pixels(photo.with_stem(f"photo_x{scale}"))
    assert larger.shape == (20 * scale, 30 * scale, 3)
    means = larger.reshape(20, scale, 30, scale, 3).mean(axis=(1, 3))
    inner = slice(2, -2)
    assert np.abs(means - _pixels(photo))[inner, inner].max() <= 4


def test_it_is_quiet(photo: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """But for the network that was chosen; where one is named, it says nothing."""
    run(["upscale", str(photo)])
    chosen = "subpixel: photo.png: network balanced (no JPEG damage is seen)\n"
    assert capfd.readouterr() == ("", chosen)
    run(["upscale", str(photo), "--model", "balanced", "--overwrite"])
    assert capfd.readouterr() == ("", "")


def test_json_says_what_was_done(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = photo.with_name("missing.png")
    assert run(["upscale", str(photo), str(missing), "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["model"]["name"] == "balanced-int8"
    assert report["provider"] == "CPUExecutionProvider"
    done, failed = report["files"]
    assert (done["width"], done["height"], done["error"]) == (90, 60, None)
    assert done["output"] == str(photo.with_stem("photo_x3"))
    assert done["choice"]["network"] == "balanced"
    assert "No such file" in failed["error"]


def test_denoise_names_its_network(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["upscale", str(photo), "--denoise", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["model"]["name"] == "denoise-int8"


def test_a_failed_picture_is_reported_and_the_others_go_on(
    photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = photo.with_name("a.png")
    bad.write_text("no picture")
    assert run(["upscale", str(bad), str(photo), "--model", "balanced"]) == 1
    error, summary = capsys.readouterr().err.strip().splitlines()
    assert error.startswith(f"subpixel: {bad}")
    assert re.fullmatch(r"subpixel: 1 picture written, .*; 1 failed", summary)
    assert photo.with_stem("photo_x3").exists()


def test_a_folder_becomes_a_folder(photo: Path) -> None:
    folder = photo.parent / "in" / "deep"
    folder.mkdir(parents=True)
    with Image.open(photo) as image:
        image.save(folder / "a.jpg")
        image.save(folder.parent / "b.webp")
    out = photo.parent / "out"
    assert run(["upscale", str(folder.parent), "-o", str(out), "--scale", "2"]) == 0
    assert result_files(out) == {"b.webp", "deep/a.jpg"}


def test_existing_files_are_kept_unless_told_otherwise(photo: Path) -> None:
    before = photo.read_bytes()
    target = photo.with_name("out.png")
    target.write_bytes(b"precious")
    assert run(["upscale", str(photo), "-o", str(target)]) == 1
    assert run(["upscale", str(photo), "-o", str(photo), "--overwrite"]) == 2
    assert (target.read_bytes(), photo.read_bytes()) == (b"precious", before)
    assert run(["upscale", str(photo), "-o", str(target), "--overwrite"]) == 0
    assert _pixels(target).shape == (60, 90, 3)


def test_what_is_lost_is_said_and_refused_when_strict(
    photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    deep = photo.with_name("deep.png")
    Image.fromarray(np.full((9, 9), 40000, np.uint16)).save(deep)
    target = photo.with_name("deep.jpg")
    assert run(["upscale", str(deep), "-o", str(target), "--strict"]) == 1
    assert "bit depth" in capsys.readouterr().err
    assert not target.exists()
    assert run(["upscale", str(deep), "-o", str(target), "--model", "balanced"]) == 0
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1
    assert "lost bit depth" in said[0]


@pytest.mark.parametrize(
    "insertion",
    [
        i
        for i in INSERTIONS
        if i.name in ("C2PA", "a film behind the end", "an invented APP9", "IPTC")
    ],
    ids=lambda i: i.name,
)
def test_strict_refuses_what_a_file_carries_and_its_output_would_not(
    tmp_path: Path, insertion: Insertion, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = tmp_path / "source.jpg", tmp_path / "target.jpg"
    source.write_bytes(insertion.data)
    command = ["upscale", str(source), "-o", str(target), "--model", "fast"]
    assert run(command) == 0
    named = capsys.readouterr().err
    assert insertion.is_kept(target) != ("lost" in named)
    strict = [*command, "--strict", "--overwrite"]
    assert run(strict) == (0 if insertion.is_kept(target) else 1)


def _header_of_a_huge_png() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)

    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels)


def _truncated_jpeg(photo: Path) -> bytes:
    stream = io.BytesIO()
    with Image.open(photo) as image:
        image.resize((200, 200)).save(stream, "JPEG")
    return stream.getvalue()[:-400]


def _bad_checksum(photo: Path) -> bytes:
    data = bytearray(photo.read_bytes())
    data[data.index(b"IDAT") + 10] ^= 0xFF
    return bytes(data)


@pytest.mark.parametrize("kind", ["truncated", "text", "empty", "checksum", "huge", "missing"])
def test_bad_pictures_are_one_line_and_exit_code_1(
    photo: Path, capfd: pytest.CaptureFixture[str], kind: str
) -> None:
    contents = {
        "truncated": _truncated_jpeg(photo),
        "text": b"these are words",
        "empty": b"",
        "checksum": _bad_checksum(photo),
        "huge": _header_of_a_huge_png(),
        "missing": None,
    }
    bad = photo.with_name("bad.png")
    if (content := contents[kind]) is not None:
        bad.write_bytes(content)
    before = result_files(photo.parent)
    assert run(["upscale", str(bad)]) == 1
    out, err = capfd.readouterr()
    assert out == ""
    assert len(err.strip().splitlines()) == 1
    assert err.startswith("subpixel: ")
    assert result_files(photo.parent) == before


def test_max_pixels_can_be_lowered(photo: Path) -> None:
    assert run(["upscale", str(photo), "--max-pixels", "599"]) == 1
    assert run(["upscale", str(photo), "--max-pixels", "600"]) == 0


def test_networks_that_are_none(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = result_files(photo.parent)
    for data in (classifier().SerializeToString(), sub_pixel_network().SerializeToString()[:90]):
        file = photo.with_name("network.onnx")
        file.write_bytes(data)
        assert run(["upscale", str(photo), "--model", str(file)]) == 1
        assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert result_files(photo.parent) == before | {"network.onnx"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["--scale", "-5"],
        ["--model", "nobody"],
        ["--device", "abacus"],
        ["--tile", "-1"],
        ["--tile", "4"],
        ["--threads", "0"],
        ["--quality", "0"],
        ["--nonsense"],
        ["-o", "one.png", "photo.png"],
    ],
)
def test_wrong_usage_is_exit_code_2(
    photo: Path,
    arguments: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(photo.parent)
    (photo.parent / "other.png").write_bytes(photo.read_bytes())
    before = result_files(photo.parent)
    assert run(["upscale", "other.png", *arguments]) == 2
    assert "Traceback" not in capsys.readouterr().err
    assert result_files(photo.parent) == before


def test_a_folder_that_can_not_be_written(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # a path below a file: unwritable for root too
    assert run(["upscale", str(photo), "-o", str(photo / "below" / "x.png")]) == 1
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_a_strangers_luma_network_is_used_as_it_is(photo: Path) -> None:
    """Like the reference's own export: one channel, batch dynamic, the size fixed."""
    file = photo.with_name("stranger.onnx")
    onnx.save(sub_pixel_network(1, 2, size=(16, 16)), file)
    assert run(["upscale", str(photo), "--model", str(file)]) == 0
    assert _pixels(photo.with_stem("photo_x2")).shape == (40, 60, 3)


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX resource limits")
def test_a_full_disk_leaves_nothing_behind(photo: Path) -> None:
    """A limit on the size of files makes writing fail half-way, as a full disk does."""
    program = (
        "import resource, sys; from subpixel.cli.main import run;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000));"
        "sys.exit(run(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", program, "upscale", str(photo), "-o", "out.tif"]
    result = subprocess.run(command, cwd=photo.parent, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr.startswith("subpixel: out.tif can't be written")
    assert len(result.stderr.strip().splitlines()) == 1
    assert result_files(photo.parent) == {"photo.png"}


def test_too_little_memory_is_said(
    photo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise MemoryError("Unable to allocate 12 GiB")

    monkeypatch.setattr("subpixel.upscaling.pipeline.upscale_samples", refuse)
    assert run(["upscale", str(photo), "--precision", "fp32"]) == 1
    assert "memory was refused 4 times" in capsys.readouterr().err
    assert result_files(photo.parent) == {"photo.png"}


def test_adaptive_says_what_it_saved_and_how_near_it_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drawing = np.full((260, 260, 3), 250, np.uint8)
    drawing[100:140, 100:140] = 0
    Image.fromarray(drawing).save(tmp_path / "drawing.png")
    out = tmp_path / "out.png"
    order = ["upscale", str(tmp_path / "drawing.png"), "-o", str(out), "--model", "fast"]
    assert run([*order, "--adaptive"]) == 0
    said = re.fullmatch(
        r"subpixel: (\d+)% of the pixels were interpolated: .*most ([\d.]+) code values away\n",
        capsys.readouterr().err,
    )
    assert said
    assert int(said[1]) > 20
    assert float(said[2]) <= 1

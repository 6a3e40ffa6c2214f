"""The page's readers and writers of files, run by Node, against Pillow."""

import base64
import hashlib
import io
import json
import os
import struct
import subprocess
import zlib
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from nodes import expect_node

RUN = Path(__file__).parent / "run_files.mjs"
WIDTH, HEIGHT = 45, 37


def run_steps(*steps: dict[str, Any]) -> list[dict[str, Any]]:
    done = subprocess.run(
        [expect_node(), str(RUN)],
        input=json.dumps(steps),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


def load(file: Path) -> Image.Image:
    return Image.open(io.BytesIO(file.read_bytes()))


def waves(channels: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    y, x, channel = np.mgrid[:height, :width, :channels]
    smooth = 128 + 90 * np.sin(x / 9 + channel) * np.cos(y / 7 - channel)
    return smooth.astype(np.uint8)


def sha256(samples: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(samples).tobytes()).hexdigest()


def png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def raw_png(kind: int, depth: int, packed: np.ndarray, width: int, extra: bytes = b"") -> bytes:
    """A PNG of rows of bytes, ``(height, bytes)``, every one without a filter."""
    header = struct.pack(">IIBBBBB", width, len(packed), depth, kind, 0, 0, 0)
    lines = b"".join(b"\0" + row.tobytes() for row in packed)
    body = png_chunk(b"IHDR", header) + extra + png_chunk(b"IDAT", zlib.compress(lines))
    return b"\x89PNG\r\n\x1a\n" + body + png_chunk(b"IEND", b"")


def interlaced(samples: np.ndarray) -> bytes:
    """Adam7, as the PNG specification, section 8.2, has it; 8 bits."""
    height, width, channels = samples.shape
    lines = b""
    for x, y, dx, dy in (
        *((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4)),
        *((0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)),
    ):
        part = samples[y::dy, x::dx]
        lines += b"".join(b"\0" + row.tobytes() for row in part if row.size)
    header = struct.pack(">IIBBBBB", width, height, 8, {1: 0, 2: 4, 3: 2, 4: 6}[channels], 0, 0, 1)
    body = png_chunk(b"IHDR", header) + png_chunk(b"IDAT", zlib.compress(lines))
    return b"\x89PNG\r\n\x1a\n" + body + png_chunk(b"IEND", b"")


def pillow_png(image: Image.Image, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG", **options)
    return stream.getvalue()


def pillow_pixels(content: bytes) -> np.ndarray:
    """8-bit samples as every reader shows them: palettes and keys resolved."""
    image = Image.open(io.BytesIO(content))
    if image.mode == "P":
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    elif "transparency" in image.info:
        image = image.convert("LA" if image.mode in ("1", "L") else "RGBA")
    elif image.mode == "1":
        image = image.convert("L")
    return np.array(image)


def png_files() -> dict[str, bytes]:
    rgb = Image.fromarray(waves(3))
    files = {
        "grey": pillow_png(Image.fromarray(waves(1)[..., 0])),
        "grey alpha": pillow_png(Image.fromarray(waves(2), "LA")),
        "rgb": pillow_png(rgb),
        "rgba": pillow_png(Image.fromarray(waves(4))),
        "palette": pillow_png(rgb.quantize(200)),
        "palette of 16": pillow_png(rgb.quantize(13), bits=4),
        "bits": pillow_png(Image.fromarray(waves(1)[..., 0] > 128)),
        "interlaced rgb": interlaced(waves(3)),
        "interlaced rgba": interlaced(waves(4)),
        "interlaced pixel": interlaced(waves(3, 1, 1)),
        "interlaced strip": interlaced(waves(1, 1, 9)),
        "clear palette": pillow_png(rgb.quantize(60), transparency=bytes(range(0, 240, 4))),
    }
    grey = waves(1)[..., 0]
    files["clear grey"] = pillow_png(Image.fromarray(grey), transparency=int(grey[3, 4]))
    files["clear rgb"] = pillow_png(rgb, transparency=tuple(map(int, waves(3)[3, 4])))
    for depth in (2, 4):
        packed = np.arange(HEIGHT * 8, dtype=np.uint8).reshape(HEIGHT, 8)
        files[f"grey of {depth} bits"] = raw_png(0, depth, packed, 8 * 8 // depth - 1)
    return files


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    folder, files = tmp_path_factory.mktemp("png"), png_files()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    answers = run_steps(*({"do": "readPng", "file": str(folder / name)} for name in files))
    return dict(zip(files, answers, strict=True))


@pytest.mark.parametrize("name", png_files())
def test_a_png_is_read_as_pillow_reads_it(name: str, read: dict[str, dict[str, Any]]) -> None:
    answer, content = read[name], png_files()[name]
    if name.startswith("grey of"):  # Pillow widens these to 8 bits by itself
        expected = np.array(Image.open(io.BytesIO(content)).convert("L"))
    else:
        expected = pillow_pixels(content)
    assert "error" not in answer, answer
    assert (answer["width"], answer["height"]) == expected.shape[1::-1]
    assert answer["sha256"] == sha256(expected)


def test_sixteen_bits_stay(tmp_path: Path) -> None:
    samples = (waves(3).astype(np.uint16) * 257 + 3).astype(">u2")
    packed = samples.reshape(HEIGHT, -1).view(np.uint8)
    (tmp_path / "deep.png").write_bytes(raw_png(2, 16, packed, WIDTH))
    copy = tmp_path / "copy.png"
    answer, _, again = run_steps(
        {"do": "readPng", "file": str(tmp_path / "deep.png")},
        {"do": "copyPng", "file": str(tmp_path / "deep.png"), "target": str(copy), "rows": 7},
        {"do": "readPng", "file": str(copy)},
    )
    assert answer["depth"] == again["depth"] == 16
    assert answer["sha256"] == again["sha256"] == sha256(samples.astype("<u2"))


def test_a_png_is_written_as_pillow_reads_it(tmp_path: Path) -> None:
    """With any number of channels, and by any number of rows at a time."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    steps: list[dict[str, Any]] = []
    for channels, rows in product((1, 2, 3, 4), (1, 8, 1000)):
        image = Image.fromarray(waves(channels)[..., 0] if channels == 1 else waves(channels))
        source, copy = tmp_path / f"{channels}.png", tmp_path / f"{channels} {rows}.png"
        image.save(source, icc_profile=profile, dpi=(300, 300))
        steps.append({"do": "copyPng", "file": str(source), "target": str(copy), "rows": rows})
    run_steps(*steps)
    for step in steps:
        source, again = load(Path(step["file"])), load(Path(step["target"]))
        assert (np.array(again) == np.array(source)).all()
        assert again.info["icc_profile"] == profile
        assert again.info["dpi"] == source.info["dpi"]


def test_a_damaged_png_is_refused_in_words(tmp_path: Path) -> None:
    whole = png_files()["rgb"]
    samples = {
        "cut": whole[: len(whole) // 2],
        "bits": whole[:200] + b"\xff" * 40 + whole[240:],
        "head": whole[:20],
        "none": raw_png(2, 8, np.zeros((0, 9), np.uint8), 3),
    }
    for name, content in samples.items():
        (tmp_path / name).write_bytes(content)
    answers = run_steps(*({"do": "readPng", "file": str(tmp_path / name)} for name in samples))
    assert [answer.get("kind") for answer in answers] == ["PictureError"] * len(samples)


@pytest.mark.parametrize(("quality", "bound"), [(95, 6), (100, 3)])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_jpeg_is_written_within_its_steps(
    channels: int, quality: int, bound: int, tmp_path: Path
) -> None:
    samples = waves(channels)
    (tmp_path / "raw").write_bytes(samples.tobytes())
    task = {"width": WIDTH, "height": HEIGHT, "channels": channels, "quality": quality}
    target = tmp_path / "new.jpg"
    run_steps({"do": "writeJpeg", "raw": str(tmp_path / "raw"), "target": str(target), **task})
    image = load(target)
    image.save(tmp_path / "pillow.jpg", quality=quality, subsampling=0)
    assert image.quantization == load(tmp_path / "pillow.jpg").quantization
    decoded = np.array(image).reshape(samples.shape).astype(int)
    assert abs(decoded - samples).max() <= bound


def test_noise_in_a_jpeg_survives_every_code(tmp_path: Path) -> None:
    """Long runs, large values and bytes of ones: the entropy coder's every branch."""
    samples = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    samples[:24] = samples[:24] // 255 * 255
    (tmp_path / "raw").write_bytes(samples.tobytes())
    task = {"width": 64, "height": 64, "channels": 3, "quality": 100}
    target = tmp_path / "new.jpg"
    run_steps({"do": "writeJpeg", "raw": str(tmp_path / "raw"), "target": str(target), **task})
    decoded = np.array(load(target)).astype(int)
    assert abs(decoded - samples).max() <= 4


def photo_with_everything(file: Path) -> tuple[bytes, bytes]:
    """A JPEG with EXIF, a profile in two segments, a caption; the profile and the EXIF block."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes() + bytes(70000)
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Maker"
    exif.get_ifd(0x8769).update({0xA002: WIDTH, 0xA003: HEIGHT})
    image = Image.fromarray(waves(3))
    image.save(file, quality=90, icc_profile=profile, exif=exif, comment=b"a caption")
    return profile, exif.tobytes()


def test_a_jpeg_keeps_what_it_says(tmp_path: Path) -> None:
    source, target = tmp_path / "source.jpg", tmp_path / "larger.jpg"
    profile, exif = photo_with_everything(source)
    size = {"width": 2 * WIDTH, "height": 2 * HEIGHT}
    samples = waves(3, 2 * HEIGHT, 2 * WIDTH)
    (tmp_path / "raw").write_bytes(samples.tobytes())
    write = {"do": "writeJpeg", "raw": str(tmp_path / "raw"), "channels": 3, "quality": 95, **size}
    answer, _ = run_steps(
        {"do": "readJpeg", "file": str(source), "bare": str(tmp_path / "bare.jpg")},
        {**write, "from": str(source), "target": str(target)},
    )
    assert answer["icc"] == hashlib.sha256(profile).hexdigest()
    assert answer["exif"] == hashlib.sha256(exif.removeprefix(b"Exif\0\0")).hexdigest()
    larger = load(target)
    assert larger.info["icc_profile"] == profile
    assert larger.info["comment"] == b"a caption"
    tags = larger.getexif()
    assert (tags[0x0112], tags[0x010F]) == (6, "Maker")
    assert tags.get_ifd(0x8769) == {0xA002: 2 * WIDTH, 0xA003: 2 * HEIGHT}


def test_a_browser_gets_the_pixels_alone(tmp_path: Path) -> None:
    source, bare = tmp_path / "source.jpg", tmp_path / "bare.jpg"
    photo_with_everything(source)
    run_steps({"do": "readJpeg", "file": str(source), "bare": str(bare)})
    stripped = load(bare)
    assert not stripped.getexif()
    assert "icc_profile" not in stripped.info
    assert (np.array(stripped) == np.array(load(source))).all()


@pytest.mark.parametrize("profile", [b"", bytes(200)], ids=["no profile", "profile"])
def test_cmyk_is_a_loss_with_a_profile_and_without(profile: bytes, tmp_path: Path) -> None:
    source = tmp_path / "print.jpg"
    Image.fromarray(waves(4), "CMYK").save(source, icc_profile=profile)
    (answer,) = run_steps({"do": "readJpeg", "file": str(source), "bare": str(tmp_path / "bare")})
    assert answer["losses"] == [
        "CMYK colours became sRGB.",
        *(["The profile of the CMYK colours was left out."] if profile else []),
    ]


def exif_block(orientation: int, order: str) -> bytes:
    entry = struct.pack(f"{order}HHIHH", 0x0112, 3, 1, orientation, 0)
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}IH", 8, 1)
    return head + entry + bytes(4)


def test_orientations_from_5_on_turn_a_picture() -> None:
    whole = [exif_block(number, order) for order in "<>" for number in range(10)]
    blocks = [*whole, b"Exif\0\0" + whole[6], whole[6][:15], b""]
    plan = [{"do": "isTurned", "block": base64.b64encode(block).decode()} for block in blocks]
    turned = [answer["turned"] for answer in run_steps(*plan)]
    assert turned == [*[5 <= number <= 8 for number in range(10)] * 2, True, False, False]


@pytest.mark.parametrize("lossless", [True, False])
@pytest.mark.parametrize("channels", [3, 4])
def test_a_webp_keeps_what_it_says(channels: int, lossless: bool, tmp_path: Path) -> None:
    source, plain = tmp_path / "source.webp", tmp_path / "plain.webp"
    bare, target = tmp_path / "bare.webp", tmp_path / "target.webp"
    exif = Image.Exif()
    exif[0x0112] = 8
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    small, large = waves(channels), waves(channels, 2 * HEIGHT, 2 * WIDTH)
    Image.fromarray(small).save(source, lossless=lossless, icc_profile=profile, exif=exif)
    Image.fromarray(large).save(plain, lossless=True)
    size = {"width": 2 * WIDTH, "height": 2 * HEIGHT}
    answer, _ = run_steps(
        {"do": "readWebp", "file": str(source), "bare": str(bare)},
        {
            "do": "dressWebp",
            "plain": str(plain),
            "from": str(source),
            "target": str(target),
            **size,
        },
    )
    assert answer == {
        "hasAlpha": channels == 4,
        "lossless": lossless,
        "carried": ["ICCP", "EXIF"],
    }
    assert "icc_profile" not in load(bare).info
    assert (np.array(load(bare)) == np.array(load(source))).all()
    dressed = load(target)
    assert dressed.info["icc_profile"] == profile
    assert dressed.getexif()[0x0112] == 8
    assert (np.array(dressed) == np.array(load(plain))).all()


@pytest.mark.slow
def test_damage_ends_in_words(tmp_path: Path) -> None:
    """No reader runs into an error of its own, whatever is cut off or changed."""
    for name in ("rgb", "interlaced rgba", "clear palette", "clear grey", "grey of 2 bits"):
        (tmp_path / f"{name}.png").write_bytes(png_files()[name])
    photo_with_everything(tmp_path / "photo.jpg")
    image = Image.fromarray(waves(4))
    image.save(tmp_path / "lossless.webp", lossless=True, exif=Image.Exif())
    image.save(tmp_path / "lossy.webp", icc_profile=bytes(300))
    image.save(tmp_path / "photo.avif", quality=60)
    variables = {"DAMAGE_FOLDER": str(tmp_path), "DAMAGE_MUTATIONS": "150"}
    done = subprocess.run(
        [expect_node(), "--test", str(RUN.parent / "damage.test.mjs")],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout

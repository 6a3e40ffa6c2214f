"""The gain map of an AVIF or HEIC becomes that of an Ultra HDR JPEG, or is named as a loss.

The files are put together here from what libultrahdr made, and what comes out is judged by it.
"""

import io
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import pyvips
from numpy.typing import NDArray
from PIL import Image

from avif_builder import AvifSpec, ItemSpec, build_avif, full_box, nclx, picture_item
from samples import smooth
from subpixel.media.formats.jpeg.gain_maps.gains import parse_gains, state_in_xmp
from subpixel.media.image_file import read_picture, write_picture
from subpixel.media.metadata.colour_tags import coding_points_in
from subpixel.media.picture import Picture
from ultra_hdr_file import BOOST, iso_file, parts_of

APPLE = b"urn:com:apple:photo:2020:aux:hdrgainmap\0"
SOURCE = iso_file(128, 64)
BASE, GAIN = (pyvips.Image.jpegload_buffer(part).numpy() for part in parts_of(SOURCE))

PictureMaker = Callable[..., ItemSpec]


def heic_item(frame: NDArray, *properties: bytes) -> ItemSpec:
    """``(H, W, 3)`` as x265's stream, without loss."""
    pillow_heif = pytest.importorskip("pillow_heif")
    stream, size = io.BytesIO(), frame.shape[1::-1]
    exact = {"quality": -1, "chroma": 444, "matrix_coefficients": 0}
    pillow_heif.encode("RGB", size, np.ascontiguousarray(frame).tobytes(), stream, **exact)
    data = stream.getvalue()
    own = [nclx(1, 13, 0)]
    for name in (b"hvcC", b"ispe", b"pixi", b"clap"):  # x265 fills up what is small, libheif cuts
        at = data.find(name) - 4
        own += [data[at : at + int.from_bytes(data[at : at + 4])]] if at >= 0 else []
    return ItemSpec(b"hvc1", data[data.index(b"mdat") + 4 :], (*own, *properties))


@dataclass(frozen=True)
class Kind:
    """A format, and how a picture is put into it."""

    suffix: str
    item: PictureMaker
    brand: bytes


KINDS = [Kind(".avif", picture_item, b"avif"), Kind(".heic", heic_item, b"heic")]


def rational(value: float) -> tuple[int, int]:
    return round(value * 1_000_000), 1_000_000


def iso_metadata(image: pyvips.Image, channels: int = 1, flags: int = 0x40) -> bytes:
    """ISO 21496-1's, of what libvips tells of a file of libultrahdr's."""
    highest, lowest = (np.log2(image.get(f"gainmap-{m}-content-boost")[0]) for m in ("max", "min"))
    gamma, base, alternate = (
        image.get(f"gainmap-{name}")[0] for name in ("gamma", "offset-sdr", "offset-hdr")
    )
    values = (lowest, highest, gamma, base, alternate)
    channel = b"".join(struct.pack(">iI", *rational(value)) for value in values)
    head = struct.pack(">HHB", 0, 0, flags | (0x80 if channels == 3 else 0))
    headrooms = struct.pack(
        ">IIII", 0, 1, *rational(np.log2(image.get("gainmap-hdr-capacity-max")))
    )
    return head + headrooms + channel * channels


METADATA = iso_metadata(pyvips.Image.uhdrload_buffer(SOURCE))


def grey_as_rgb(samples: NDArray) -> NDArray:
    return np.repeat(samples.reshape(*samples.shape[:2], -1)[..., :1], 3, axis=2)


def tone_mapped(kind: Kind, metadata: bytes = METADATA, *properties: bytes) -> AvifSpec:
    """As libavif writes it: the map is hidden, and the derived picture refers to both."""
    items = (
        kind.item(BASE),
        replace(kind.item(grey_as_rgb(GAIN)), hidden=True),
        ItemSpec(b"tmap", b"\0" + metadata, properties),
    )
    return AvifSpec(items, ((b"dimg", 3, (1, 2)),), brand=kind.brand)


def read(folder: Path, kind: Kind, spec: AvifSpec) -> Picture:
    file = folder / f"a{kind.suffix}"
    file.write_bytes(build_avif(spec))
    return read_picture(file)


def enlarge(picture: Picture, scale: float) -> Picture:
    image = pyvips.Image.new_from_array(picture.frames[0]).resize(scale, kernel="cubic")
    return replace(picture, frames=image.numpy()[None])


def linear_of(file: bytes) -> NDArray[np.float32]:
    return pyvips.Image.uhdrload_buffer(file).uhdr2scRGB().numpy()


def without_iso(file: bytes) -> bytes:
    """As a reader sees it that knows XMP alone."""
    return file.replace(b"urn:iso:std:iso:ts:21496:-1\0", b"urn:iso:std:iso:ts:00000:-1\0")


@pytest.mark.parametrize("kind", KINDS, ids=["avif", "heic"])
@pytest.mark.parametrize("scale", [1, 3])
def test_it_is_the_same_light(tmp_path: Path, kind: Kind, scale: int) -> None:
    picture = read(tmp_path, kind, tone_mapped(kind))
    assert picture.losses == ()
    np.testing.assert_array_equal(picture.frames[0], BASE)
    assert write_picture(enlarge(picture, scale), tmp_path / "b.jpg", strict=True) == ()
    file = (tmp_path / "b.jpg").read_bytes()
    before = linear_of(SOURCE)
    expected = pyvips.Image.new_from_array(before).resize(scale, kernel="linear").numpy()
    # 3 code values of 8 bits in the picture (gamma 2.4, from code 90 on) and 3 of the map's 3 stops
    limit = 2.4 * np.log2(1 + 3 / 90) + 3 * 3 / 255 + 0.02
    inside = (slice(2, -2), slice(2, -2))
    assert expected.max() > 0.8 * BOOST
    for seen in (file, without_iso(file)):
        assert np.abs(np.log2(linear_of(seen) / expected))[inside].max() < limit


def test_a_map_of_three_channels(tmp_path: Path) -> None:
    spec = tone_mapped(KINDS[0], iso_metadata(pyvips.Image.uhdrload_buffer(SOURCE), 3))
    colours = picture_item(smooth(3, size=(32, 16))[0])
    spec = replace(spec, items=(spec.items[0], replace(colours, hidden=True), spec.items[2]))
    picture = read(tmp_path, KINDS[0], spec)
    write_picture(picture, tmp_path / "b.jpg", strict=True)
    image = pyvips.Image.uhdrload(str(tmp_path / "b.jpg"))
    assert len(set(image.get("gainmap-max-content-boost"))) == 1
    gain_map = pyvips.Image.jpegload_buffer(image.get("gainmap-data"))
    assert np.abs(gain_map.numpy() - smooth(3, size=(32, 16))[0].astype(int)).max() <= 4


def test_one_of_ten_bits_is_rounded_and_that_is_said(tmp_path: Path) -> None:
    deep = grey_as_rgb(GAIN).astype(np.uint16) * 257
    image = pyvips.Image.new_from_array(deep).copy(interpretation="rgb16")
    data = image.heifsave_buffer(compression="av1", lossless=True, bitdepth=10, keep="none")
    own = picture_item(grey_as_rgb(GAIN))
    item = replace(
        own,
        data=data[data.index(b"mdat") + 4 :],
        properties=(own.properties[0], data[data.index(b"av1C") - 4 :][:12]),
        hidden=True,
    )
    spec = tone_mapped(KINDS[0])
    spec = replace(spec, items=(spec.items[0], item, spec.items[2]))
    picture = read(tmp_path, KINDS[0], spec)
    assert [str(loss) for loss in picture.losses] == [
        "gain map: its samples of more than 8 bits are rounded to 8"
    ]
    assert picture.metadata.gain_map is not None
    samples = pyvips.Image.jpegload_buffer(picture.metadata.gain_map.data).numpy()
    assert np.abs(samples.reshape(GAIN.shape) - GAIN.astype(int)).max() <= 2


@pytest.mark.parametrize("kind", KINDS, ids=["avif", "heic"])
@pytest.mark.parametrize("has_xmp", [True, False])
def test_apple_s_is_carried_as_in_its_jpegs(tmp_path: Path, kind: Kind, has_xmp: bool) -> None:
    gain = kind.item(grey_as_rgb(GAIN), full_box(b"auxC", APPLE))
    packet = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF'
        b' xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description'
        b' rdf:about="" xmlns:HDRGainMap="http://ns.apple.com/HDRGainMap/1.0/"'
        b' HDRGainMap:HDRGainMapVersion="131072" HDRGainMap:HDRGainMapHeadroom="4.5"/>'
        b"</rdf:RDF></x:xmpmeta>"
    )
    items = (kind.item(BASE), gain, ItemSpec(b"mime", packet, extra=b"application/rdf+xml\0"))
    references = ((b"auxl", 2, (1,)), (b"cdsc", 3, (2,)))
    count = 2 + has_xmp
    spec = AvifSpec(items[:count], references[: count - 1], brand=kind.brand)
    picture = read(tmp_path, kind, spec)
    assert picture.losses == ()
    assert write_picture(enlarge(picture, 2), tmp_path / "b.jpg", strict=True) == ()
    gain_map = read_picture(tmp_path / "b.jpg").metadata.gain_map  # found again
    assert gain_map is not None
    with Image.open(io.BytesIO(gain_map.data)) as image:
        assert image.mode == "L"
        assert image.size == (GAIN.shape[1] * 2, GAIN.shape[0] * 2)
        assert APPLE[:-1] in image.info["xmp"]
        version = b'Version="131072"' if has_xmp else b"Version>65536<"
        assert version in image.info["xmp"]
        assert (b'Headroom="4.5"' in image.info["xmp"]) is has_xmp


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        (b"\0\1" + METADATA[2:], "a newer version"),
        (METADATA[:4] + b"\x48" + METADATA[5:], "a newer version"),
        (METADATA[:-1], "cut off"),
        (METADATA[:4] + b"\xc0" + METADATA[5:], "cut off"),
        (METADATA[:9] + bytes(4) + METADATA[13:], "divides by 0"),
        (METADATA[:21] + b"\x7f" + METADATA[22:], "mean nothing"),
    ],
    ids=["version", "flags", "short", "three", "zero", "order"],
)
def test_metadata_that_nobody_understands_is_named(
    tmp_path: Path, metadata: bytes, words: str
) -> None:
    picture = read(tmp_path, KINDS[0], tone_mapped(KINDS[0], metadata))
    assert picture.metadata.gain_map is None
    (loss,) = picture.losses
    assert loss.what == "gain map"
    assert words in loss.why
    np.testing.assert_array_equal(picture.frames[0], BASE)


def test_a_map_that_is_none_for_the_picture_is_named(tmp_path: Path) -> None:
    spec = tone_mapped(KINDS[0])
    for item, words in (
        (replace(spec.items[1], data=b"no stream at all"), "can't be decoded"),
        (replace(picture_item(smooth(3, size=(192, 96))[0]), hidden=True), "192 x 96"),
        (replace(picture_item(smooth(3, size=(128, 128))[0]), hidden=True), "128 x 128"),
        (replace(picture_item(smooth(3, size=(16, 16))[0]), hidden=True), "another shape"),
        (replace(spec.items[1], properties=spec.items[1].properties[1:]), "its size"),
    ):
        picture = read(
            tmp_path, KINDS[0], replace(spec, items=(spec.items[0], item, spec.items[2]))
        )
        assert picture.metadata.gain_map is None
        assert [loss.what for loss in picture.losses] == ["gain map"]
        assert words in picture.losses[0].why
        np.testing.assert_array_equal(picture.frames[0], BASE)


def test_a_second_map_is_a_loss(tmp_path: Path) -> None:
    spec = tone_mapped(KINDS[0])
    more = (*spec.items, spec.items[1], spec.items[2])
    spec = replace(spec, items=more, references=((b"dimg", 3, (1, 2)), (b"dimg", 5, (1, 4))))
    picture = read(tmp_path, KINDS[0], spec)
    assert picture.metadata.gain_map is not None
    assert {loss.what for loss in picture.losses} == {"gain map"}


def test_primaries_of_the_brighter_picture_go_along(tmp_path: Path) -> None:
    """XMP can't name them, so ISO 21496-1 alone says how the map is applied."""
    metadata = METADATA[:4] + b"\0" + METADATA[5:]
    picture = read(tmp_path, KINDS[0], tone_mapped(KINDS[0], metadata, nclx(12, 16)))
    assert picture.losses == ()
    assert picture.metadata.gain_map is not None
    with Image.open(io.BytesIO(picture.metadata.gain_map.data)) as image:
        assert "xmp" not in image.info
        points = coding_points_in(image.info["icc_profile"])
        assert points is not None
        assert points.primaries == 12
    write_picture(picture, tmp_path / "b.jpg", strict=True)
    assert np.isfinite(linear_of((tmp_path / "b.jpg").read_bytes())).all()


@pytest.mark.parametrize("suffix", [".png", ".avif"])
def test_other_formats_name_the_loss(tmp_path: Path, suffix: str) -> None:
    picture = read(tmp_path, KINDS[0], tone_mapped(KINDS[0]))
    (loss,) = write_picture(picture, tmp_path / f"b{suffix}")
    assert loss.what == "gain map"


def test_a_picture_that_the_map_makes_darker_is_not_for_xmp() -> None:
    headrooms = struct.pack(">IIII", 3, 1, 0, 1)
    gains = parse_gains(METADATA[:5] + headrooms + METADATA[21:])
    assert state_in_xmp(gains) is None


@pytest.mark.skipif(sys.platform != "linux", reason="decoders are forked on Linux")
@pytest.mark.parametrize("kind", KINDS, ids=["avif", "heic"])
def test_decoded_apart_it_is_the_same(tmp_path: Path, kind: Kind) -> None:
    direct = read(tmp_path, kind, tone_mapped(kind))
    apart = read_picture(tmp_path / f"a{kind.suffix}", untrusted=True)
    assert direct.metadata.gain_map is not None
    assert apart.metadata == direct.metadata
    assert apart.losses == direct.losses

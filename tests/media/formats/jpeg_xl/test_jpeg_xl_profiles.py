"""Colour profiles into JPEG XL and out of it: kept, converted, or named as a loss.

libjxl's own programs, where they are installed, write the files and say what their colours are;
Pillow's colour management judges what became of them.
"""

import base64
import io
import shutil
import struct
import subprocess
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import pyvips
from numpy.typing import NDArray
from PIL import Image, ImageCms

from samples import SRGB, grey_profile
from subpixel.errors import PictureError
from subpixel.media.image_file import EncodeOptions, read_picture, write_picture
from subpixel.media.picture import Metadata, Picture

pytest.importorskip("pillow_jxl")

needs_libjxl = pytest.mark.skipif(
    not (shutil.which("cjxl") and shutil.which("djxl")),
    reason="cjxl and djxl (Debian's libjxl-tools) aren't installed",
)

P3: bytes = pyvips.Operation.call("profile_load", "p3")
CMYK: bytes = pyvips.Operation.call("profile_load", "cmyk")


def with_private_tag(profile: bytes, size: int) -> bytes:
    """The profile with ``size`` random bytes more, in a tag that nobody knows."""
    (count,) = struct.unpack_from(">I", profile, 128)
    tags = [struct.unpack_from(">4sII", profile, 132 + 12 * i) for i in range(count)]
    body = profile[132 + 12 * count :]
    body += bytes(-len(body) % 4)
    start = 132 + 12 * (count + 1)
    table = [(name, at + 12, length) for name, at, length in tags]
    table.append((b"zzzz", start + len(body), size))
    body += np.random.default_rng(0).bytes(size)
    head = profile[4:128] + struct.pack(">I", count + 1)
    whole = head + b"".join(struct.pack(">4sII", *entry) for entry in table) + body
    return struct.pack(">I", len(whole) + 4) + whole


PROFILES = {
    "srgb": SRGB,
    "p3": P3,
    "big": with_private_tag(P3, 300_000),
    "grey": grey_profile(),
}

GREY_LOSSY = base64.b85decode(
    "{|W&<NTbpN5~cyjnLBt&JFnv#qX9M1$wg=thaiw82S%zIXqxyo0J9$5dd2_%q&~}kGe0JjbTUbUUlDt(6qii50o8WGgG"
    "*PuQ4H;RVu0AEWtYzRPzwMO2mpKnzse{908pVa%DBPHxt=dSbXZK=xX#d4+ZL82ii~5EbOMKv0%?vhUX1Z#j2DA(G0J8"
    "hAsztUB>4XaDgXboBFg`hiOBy0fZgRuYT;c1R(xTUIGTnK{PTerTmrTQx%dDeN99Iz<N!qr{s+2wGq^t)<@b$3QYQsPa"
    "E)OYgQ19sh-7jQ5NwbYL^WUzy|otd+4N2qKyQTuTA&~"
)
"""``cjxl --container=0 -d 0.5 -e 3`` of 0 … 255 across, 8 rows, with :func:`grey_profile`."""

P3_EXACT = base64.b85decode(
    "{|W&<2;oaX!U3`&TTg|8-y^d^%m0p)a3V#CPantL3JZJ>*m;(Bp4IOet$jyEqtVj02w^j(&FlaG@L#dll8LcxNCU{6Fn8vR"
    "p(BR{001bz{;%;0DlRH=7ggNv{mS{~DyjQOt#tta005*+1>iG`o5{d(=0G<yK+04ApJCigel2Ina1d&*)d!tk^9>{LS8xCQ"
    "cYcNcPH4Z7{`>E~q5k`?KMrp-6u3kO{c^oOAWDBUc9&6W96HR#h$4e~@x)9@<vlS?#!jJ(vH=JJ0RU_ROA;wjy?_E3a399|"
    "xC(+G2q`wI{s1(uGyoJqVSX~d5<g8p5I(^DrN3nVq`r%PhJB#_H$M};JwCp_$iLb@%D(x(Lw@%C-oKasD}OaVynZx3`hL&7"
    "6+c)$Q9tj#Z2u2IP`{SHT)(Ejj{gMyC_j&X!#^*67eQfuGQSc(O+OGm!2PAaWdEeTi+_fFp#L{N6TUq@zQ4%7+CR#^`M*Pc"
    "_Wj<!+x{ED+eXLIzcaJU(Nb+9-l<gEv&_*_Z6e;ORNJ%6(Nb+9-l<62D=JSLMurF&xf=r"
)
"""The same in three equal channels with Display P3, without loss (``-d 0``)."""


def shown(samples: NDArray, profile: bytes | None) -> NDArray:
    """``(H, W, C)`` in sRGB, three channels, by Little CMS in Pillow."""
    image = Image.fromarray(samples[..., 0] if samples.shape[-1] == 1 else samples)
    if profile is None:
        return np.asarray(image.convert("RGB"), int)
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    target = ImageCms.createProfile("sRGB")
    return np.asarray(ImageCms.profileToProfile(image, source, target, outputMode="RGB"), int)


def colours(channels: int) -> NDArray:
    """Ramps of grey from black on, and of saturation where there are colours."""
    across = np.tile(np.arange(256, dtype=np.uint8), (16, 1))
    if channels == 1:
        return across[..., None]
    down = np.repeat(np.arange(16, dtype=np.uint8)[:, None] * 9, 256, 1)
    return np.stack([across, np.maximum(across, down) // 2 + across // 2, across], axis=-1)


@needs_libjxl
@pytest.mark.parametrize("distance", ["0", "0.3"])
@pytest.mark.parametrize(
    "name", ["srgb", "p3", "grey", pytest.param("big", marks=pytest.mark.slow)]
)
def test_read_as_libjxl_reads_it(tmp_path: Path, name: str, distance: str) -> None:
    profile, samples = PROFILES[name], colours(1 if name == "grey" else 3)
    picture = Image.fromarray(samples[..., 0] if name == "grey" else samples)
    picture.save(tmp_path / "a.png", icc_profile=profile)
    for command in (
        ["cjxl", "a.png", "a.jxl", "-d", distance, "-e", "3"],
        ["djxl", "a.jxl", "b.png"],
    ):
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    ours = read_picture(tmp_path / "a.jxl")
    with Image.open(tmp_path / "b.png") as image:
        theirs = np.asarray(image).reshape(samples.shape), image.info.get("icc_profile")
    if distance == "0":
        assert ours.losses == ()
        assert ours.metadata.icc == profile
        np.testing.assert_array_equal(ours.frames[0], samples)
        return
    difference = np.abs(shown(ours.frames[0], ours.metadata.icc) - shown(*theirs))
    assert difference.mean() < 1
    linear = name == "grey"  # which the decoder can't convert to
    assert [loss.what for loss in ours.losses] == ["bit depth"] * linear
    if not linear:
        assert np.abs(ours.frames[0].astype(int) - theirs[0]).max() <= 1


def test_linear_light_in_8_bits_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.jxl").write_bytes(GREY_LOSSY)
    picture = read_picture(tmp_path / "a.jxl")
    assert len(np.unique(picture.frames)) < 240  # of 256
    assert "linear light" in str(picture.losses[0])
    assert len(picture.losses) == 1


def test_what_is_stored_as_its_profile_says_is_exact(tmp_path: Path) -> None:
    (tmp_path / "a.jxl").write_bytes(P3_EXACT)
    picture = read_picture(tmp_path / "a.jxl")
    assert picture.losses == ()
    assert picture.metadata.icc == P3
    np.testing.assert_array_equal(picture.frames[0, 0, :, 1], np.arange(256))


@pytest.mark.parametrize("place", [10, 90, 200, 400])
def test_a_damaged_profile_is_an_error_or_not_the_file_s(tmp_path: Path, place: int) -> None:
    """It is compressed with the codestream, so nothing half-read comes out."""
    data = bytearray(P3_EXACT)
    data[place] ^= 0x55
    (tmp_path / "a.jxl").write_bytes(data)
    with suppress(PictureError):
        assert read_picture(tmp_path / "a.jxl").frames.shape[0] == 1


@pytest.mark.parametrize("name", PROFILES)
def test_written_as_srgb_and_said(tmp_path: Path, name: str) -> None:
    profile, samples = PROFILES[name], colours(1 if name == "grey" else 3)
    picture = Picture(samples[None], Metadata(icc=profile))
    losses = write_picture(picture, tmp_path / "a.jxl", EncodeOptions(lossless=True))
    assert [loss.what for loss in losses] == ["icc"]
    expected = shown(samples, profile)
    read = read_picture(tmp_path / "a.jxl")
    assert read.metadata.icc is None
    assert np.abs(shown(read.frames[0], None) - expected).max() <= 2
    if shutil.which("djxl"):
        command = ["djxl", "a.jxl", "b.png"]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
        with Image.open(tmp_path / "b.png") as image:
            theirs = np.asarray(image).reshape(*samples.shape[:2], -1)
        np.testing.assert_array_equal(theirs, read.frames[0])


@pytest.mark.parametrize("profile", [CMYK, P3[:-9], b"no profile", grey_profile()])
def test_a_profile_that_is_none_for_the_picture_is_named(tmp_path: Path, profile: bytes) -> None:
    """And no pixel changes."""
    picture = Picture(colours(3)[None], Metadata(icc=profile))
    losses = write_picture(picture, tmp_path / "a.jxl", EncodeOptions(lossless=True))
    assert [loss.what for loss in losses] == ["icc"]
    assert "left out" in losses[0].why
    np.testing.assert_array_equal(read_picture(tmp_path / "a.jxl").frames[0], colours(3))

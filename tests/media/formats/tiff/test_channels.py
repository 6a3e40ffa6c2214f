"""Channels beside the colours: data goes its own way and keeps its tag; tifffile is the oracle."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from networks import BoxBlur
from samples import smooth
from subpixel import Upscaler, upscale
from subpixel.errors import LossError, PictureError, UsageError
from subpixel.media.image_file import losses_in, read_picture, write_picture
from subpixel.media.picture import Picture
from subpixel.upscaling.alpha import treat_alpha
from subpixel.upscaling.samples import upscale_codes, upscale_samples

CASES = Path(__file__).resolve().parents[5] / "shared" / "cases" / "pictures"
NOISE = np.random.default_rng(0).integers(0, 256, (24, 32, 6), dtype=np.uint8)

KINDS = {
    "rgb + mask": ("rgb", [0], 4, ("data",)),
    "grey + depth": ("minisblack", [0], 2, ("data",)),
    "rgb + nir + alpha": ("rgb", [0, 2], 5, ("data", "alpha")),
    "rgb + alpha + mask": ("rgb", [2, 0], 5, ("alpha", "data")),
    "rgb + three": ("rgb", [0, 0, 0], 6, ("data",) * 3),
    "grey + three": ("minisblack", [0, 0, 0], 4, ("data",) * 3),
    "rgb + alpha": ("rgb", [2], 4, ("alpha",)),
}


@pytest.fixture(scope="module")
def upscaler() -> Upscaler:
    return Upscaler("fast", scale=2, device="cpu", tuning=False)


def write_tiff(file: Path, kind: str, dtype: type = np.uint8) -> np.ndarray:
    photometric, extras, channels, _ = KINDS[kind]
    samples = NOISE[..., :channels].astype(dtype) * (1 if dtype is np.uint8 else 257)
    tifffile.imwrite(
        file,
        samples,
        photometric=photometric,
        planarconfig="contig",
        extrasamples=extras,
        metadata=None,
    )
    return samples


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("kind", KINDS)
def test_tiff_to_tiff_keeps_channels_and_their_tag(tmp_path: Path, kind: str, dtype: type) -> None:
    samples = write_tiff(tmp_path / "in.tif", kind, dtype)
    picture = read_picture(tmp_path / "in.tif")
    assert picture.header.extra_channels == KINDS[kind][3]
    assert picture.losses == ()
    assert write_picture(picture, tmp_path / "out.tif", strict=True) == ()
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        page = file.pages.first
        assert list(page.extrasamples) == KINDS[kind][1]
        assert np.array_equal(page.asarray(), samples)
    assert np.array_equal(read_picture(tmp_path / "out.tif").frames, picture.frames)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".avif", ".gif"])
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "rgb + alpha"])
def test_formats_without_a_place_say_so(tmp_path: Path, kind: str, suffix: str) -> None:
    samples = write_tiff(tmp_path / "in.tif", kind)
    picture, colours = read_picture(tmp_path / "in.tif"), len(KINDS[kind][3])
    lost = [loss.what for loss in losses_in(picture, suffix)]
    assert "channels" in lost
    assert ("alpha" in lost) == ("alpha" in KINDS[kind][3] and suffix in (".jpg", ".gif"))
    with pytest.raises(LossError, match="channels"):
        write_picture(picture, tmp_path / f"out{suffix}", strict=True)
    if suffix == ".png":
        write_picture(picture, tmp_path / "out.png")
        with Image.open(tmp_path / "out.png") as image:
            seen = np.asarray(image).reshape(*samples.shape[:2], -1)
        kept = list(range(samples.shape[2] - colours))
        kept += [len(kept) + i for i, name in enumerate(KINDS[kind][3]) if name == "alpha"]
        assert np.array_equal(seen, samples[..., kept])


@pytest.mark.parametrize("kind", ["rgb + mask", "grey + depth", "rgb + three"])
def test_colours_come_out_as_without_the_data(
    tmp_path: Path, kind: str, upscaler: Upscaler
) -> None:
    """Nothing is repainted where the data is 0, and each channel is a grey picture to the network,
    within its neighbourhood."""
    samples = write_tiff(tmp_path / "in.tif", kind)
    samples[..., -1] = 0
    colours = samples.shape[2] - len(KINDS[kind][3])
    picture = Picture(samples[None], extras=KINDS[kind][3])
    larger = upscaler.picture(picture)
    alone = upscaler.picture(Picture(np.ascontiguousarray(samples[None, ..., :colours])))
    assert np.array_equal(larger.frames[..., :colours], alone.frames)
    assert not larger.frames[..., -1].any()
    assert larger.extras == KINDS[kind][3]
    upscaler.file(picture, tmp_path / "out.tif")
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        assert np.array_equal(file.pages.first.asarray(), larger.frames[0])
        assert list(file.pages.first.extrasamples) == KINDS[kind][1]


@pytest.mark.parametrize("channels", [4, 5, 6])
def test_each_extra_channel_goes_through_the_network_by_itself(channels: int) -> None:
    pixels = smooth(3, np.uint16)[:1, ..., :1].repeat(channels, -1)
    pixels[..., 3:] = np.random.default_rng(1).integers(0, 65536, pixels[..., 3:].shape)
    result = upscale_samples(BoxBlur(2, 1), pixels, opaque=False, colours=3)
    for channel in range(3, channels):
        pair = np.ascontiguousarray(pixels[..., [0, channel]])
        alone = upscale_samples(BoxBlur(2, 1), pair, opaque=False)
        assert np.array_equal(result[..., channel], alone[..., 1])


def test_codes_do_as_samples_do() -> None:
    codes = NOISE[None]
    doubled = lambda x: x.repeat(2, 1).repeat(2, 2)  # noqa: E731
    assert np.array_equal(upscale_codes(doubled, codes, opaque=False, colours=3), doubled(codes))


def test_cmyk_and_one_more(tmp_path: Path) -> None:
    for dtype, most in ((np.uint8, 255), (np.uint16, 65535)):
        samples = NOISE[..., :5].astype(dtype) * (most // 255)
        tifffile.imwrite(
            tmp_path / "a.tif", samples, photometric="separated", extrasamples=[0], metadata=None
        )
        tifffile.imwrite(
            tmp_path / "b.tif", samples[..., :4], photometric="separated", metadata=None
        )
        picture, inks = (read_picture(tmp_path / name) for name in ("a.tif", "b.tif"))
        assert picture.header.extra_channels == ("data",)
        assert np.array_equal(picture.frames[0, ..., 3], samples[..., 4])
        assert np.array_equal(picture.frames[..., :3], inks.frames)
        assert [loss.what for loss in picture.losses] == ["colour"]


def test_premultiplied_beside_others_is_said(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "a.tif", NOISE[..., :5], photometric="rgb", extrasamples=[1, 0], metadata=None
    )
    picture = read_picture(tmp_path / "a.tif")
    assert np.array_equal(picture.frames[0], NOISE[..., :5])
    assert [loss.what for loss in picture.losses] == ["alpha"]


@pytest.mark.parametrize(
    ("dtype", "extras"),
    [*product((np.uint8, np.uint16, np.float32), ([0, 0, 0], [1])), (np.int16, [0, 0, 0])],
)
def test_tiled_planes(tmp_path: Path, dtype: type, extras: list[int]) -> None:
    """As GDAL's INTERLEAVE=BAND; read as the same samples are side by side."""
    samples = NOISE[..., : 3 + len(extras)].astype(dtype)
    if dtype is np.float32:
        samples /= 255
    if extras == [1]:
        samples[..., :3] = np.minimum(samples[..., :3], samples[..., 3:])
    options = {"photometric": "rgb", "extrasamples": extras, "metadata": None}
    tifffile.imwrite(tmp_path / "a.tif", samples, **options)
    planes = np.ascontiguousarray(np.moveaxis(samples, -1, 0))
    for name in ("b.tif", "c.tif"):
        tifffile.imwrite(
            tmp_path / name,
            planes,
            planarconfig="separate",
            tile=(16, 16),
            compression="zlib" if name == "c.tif" else None,
            **options,
        )
    expected = read_picture(tmp_path / "a.tif")
    for name in ("b.tif", "c.tif"):
        picture = read_picture(tmp_path / name)
        assert picture.frames.dtype == expected.frames.dtype
        assert np.abs(picture.frames.astype(int) - expected.frames).max() <= (extras == [1])
        assert picture.header.extra_channels == expected.header.extra_channels


def test_tiles_that_are_too_few(tmp_path: Path) -> None:
    planes = np.ascontiguousarray(np.moveaxis(NOISE, -1, 0))
    tifffile.imwrite(
        tmp_path / "a.tif", planes, photometric="rgb", planarconfig="separate", tile=(16, 16),
        extrasamples=[0, 0, 0], metadata=None,
    )  # fmt: skip
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+") as file:
        file.pages.first.tags["ImageWidth"].overwrite(320)
    with pytest.raises(PictureError, match="24 tiles don't make 6 channels"):
        read_picture(tmp_path / "a.tif")


def test_planes(tmp_path: Path) -> None:
    planes = np.ascontiguousarray(np.moveaxis(NOISE, -1, 0))
    tifffile.imwrite(
        tmp_path / "a.tif",
        planes,
        photometric="rgb",
        planarconfig="separate",
        extrasamples=[0, 0, 0],
        metadata=None,
    )
    assert np.array_equal(read_picture(tmp_path / "a.tif").frames[0], NOISE)


@pytest.mark.parametrize(
    ("name", "extras"),
    [
        ("selection", ("data",)),
        ("rgb_nir", ("data",)),
        ("alpha_unspec", ("data",)),
        ("two_channel", ("data",)),
        ("five", ("data", "alpha")),
        ("cmyk_alpha", ("alpha",)),
    ],
)
def test_samples_of_users(name: str, extras: tuple[str, ...]) -> None:
    if not (CASES / f"{name}.tif").exists():
        pytest.skip("needs ../shared/cases beside the repository")
    picture = read_picture(CASES / f"{name}.tif")
    assert picture.header.extra_channels == extras
    if name != "cmyk_alpha":
        assert np.array_equal(picture.frames[0], tifffile.imread(CASES / f"{name}.tif"))


class TestStraightAlpha:
    def texture(self) -> Picture:
        """Colours of their own under alpha that is 0 nearly everywhere."""
        samples = smooth(4, size=(24, 20)).copy()
        samples[..., 3] = 0
        samples[:, 5:9, 5:9, 3] = 200
        return Picture(samples)

    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
    def test_colours_come_out_as_without_alpha(self, dtype: type) -> None:
        samples = smooth(4, np.uint8 if dtype is np.uint8 else np.uint16)[0]
        if dtype is np.float32:
            samples = (samples / 65535).astype(np.float32)
        samples[..., 3] = 0
        straight = Upscaler("fast", scale=2, device="cpu", alpha="straight", tuning=False)
        result = straight(samples)
        assert np.array_equal(result[..., :3], straight(np.ascontiguousarray(samples[..., :3])))
        assert not result[..., 3].any()
        assert np.array_equal(
            upscale(samples, model="fast", scale=2, device="cpu", alpha="straight"), result
        )

    def test_the_default_repaints(self, upscaler: Upscaler) -> None:
        picture = self.texture()
        colour = Picture(np.ascontiguousarray(picture.frames[..., :3]))
        assert not np.array_equal(
            upscaler.picture(picture).frames[..., :3], upscaler.picture(colour).frames
        )

    @pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
    def test_files(self, tmp_path: Path, suffix: str) -> None:
        straight = Upscaler("fast", scale=2, device="cpu", alpha="straight", tuning=False)
        picture, file = self.texture(), tmp_path / f"in{suffix}"
        from subpixel.media.image_file import EncodeOptions

        lossless = EncodeOptions(lossless=True)
        assert write_picture(picture, file, lossless) == ()
        assert straight.file(file, tmp_path / f"out{suffix}", lossless, strict=True) == ()
        expected = straight.picture(picture)
        assert expected.has_alpha
        back = read_picture(tmp_path / f"out{suffix}")
        assert np.array_equal(back.frames, expected.frames)
        assert back.has_alpha
        (rows,) = [np.concatenate(list(straight.rows(picture)))]
        assert np.array_equal(rows, expected.frames[0])

    def test_jpeg_leaves_the_alpha_out_and_the_colours_as_they_are(self, tmp_path: Path) -> None:
        straight = Upscaler("fast", scale=2, device="cpu", alpha="straight", tuning=False)
        losses = straight.file(self.texture(), tmp_path / "a.jpg")
        assert [loss.what for loss in losses] == ["alpha"]
        assert "colours as they are" in losses[0].why
        seen = read_picture(tmp_path / "a.jpg").frames.astype(int)
        assert np.abs(seen - straight.picture(self.texture()).frames[..., :3]).max() < 12

    def test_opaque_alpha_is_no_loss(self, tmp_path: Path) -> None:
        samples = smooth(4).copy()
        samples[..., 3] = 255
        source = treat_alpha(Picture(samples), "straight")
        assert isinstance(source, Picture)
        assert write_picture(source, tmp_path / "a.jpg") == ()

    def test_an_unknown_mode(self) -> None:
        with pytest.raises(UsageError, match="alpha is 'flat'; it is 'repaint' or 'straight'"):
            Upscaler("fast", alpha="flat")

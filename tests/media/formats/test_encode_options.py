"""An option of encoding means something for a format, or is refused; none is ignored."""

from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from subpixel.errors import UsageError
from subpixel.media.formats.format import EncodeOptions, Format
from subpixel.media.formats.registry import FORMATS
from subpixel.media.image_file import encode_picture, write_picture
from subpixel.media.picture import Picture

SETTINGS = {
    "quality": EncodeOptions(quality=20),
    "lossless": EncodeOptions(lossless=True),
    "png_compression": EncodeOptions(png_compression=9),
    "tiff_compression": EncodeOptions(tiff_compression="none"),
    "effort": EncodeOptions(effort=6),
}
NOISE = np.random.default_rng(0).integers(0, 256, (1, 40, 60, 3), dtype=np.uint8)
PICTURE = Picture(np.repeat(NOISE[:, :, ::4], 4, axis=2))


def test_each_option_has_a_setting_here() -> None:
    assert SETTINGS.keys() == {field.name for field in fields(EncodeOptions)}
    assert all(options.changes == (name,) for name, options in SETTINGS.items())
    assert EncodeOptions().changes == ()


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_an_option_changes_the_file_or_is_refused(tmp_path: Path, form: Format, name: str) -> None:
    """What is lossless in any case needs no change for `lossless`."""
    if form.package is not None and find_spec(form.package) is None:
        pytest.skip(f"needs {form.package}")
    options, file = SETTINGS[name], tmp_path / f"a{form.suffixes[0]}"
    plain = encode_picture(PICTURE, file)
    if name in form.writer.options:
        changed = encode_picture(PICTURE, file, options)
        exact = name == "lossless" and "quality" not in form.writer.options
        assert (changed == plain) == exact
        assert options.restrict(form) == options
        return
    with pytest.raises(UsageError, match=f"{name} means nothing for {form.name}; it goes with "):
        write_picture(PICTURE, file, options)
    assert not file.exists()
    assert options.restrict(form) == EncodeOptions()


def test_quality_means_nothing_without_loss(tmp_path: Path) -> None:
    options = EncodeOptions(quality=50, lossless=True)
    with pytest.raises(UsageError, match="quality means nothing for WebP without loss; it goes"):
        write_picture(PICTURE, tmp_path / "a.webp", options)
    by_name = {form.name: form for form in FORMATS}
    assert options.restrict(by_name["WebP"]) == EncodeOptions(lossless=True)
    assert options.restrict(by_name["JPEG"]) == EncodeOptions(quality=50)

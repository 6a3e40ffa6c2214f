"""Pictures and sizes of the user's own."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from subpixel.errors import PictureError, UsageError
from subpixel.imaging.colour import luma
from subpixel.parity.cases import Case, pixels
from subpixel.parity.own_cases import own_cases
from subpixel.spec import ModelSpec

SPEC = ModelSpec("small", 2, "rgb", "rgb")


def saved(file: Path, mode: str, height: int = 5, width: int = 9) -> np.ndarray:
    shape = (height, width) if mode == "L" else (height, width, len(mode))
    samples = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    Image.fromarray(samples, mode).save(file)
    return samples


def test_a_picture_is_taken_as_it_is(tmp_path: Path) -> None:
    samples = saved(tmp_path / "a.png", "RGB")
    (case,) = own_cases([tmp_path / "a.png"], [], SPEC)
    assert case == Case(1, 5, 9, "picture", source=tmp_path / "a.png")
    assert case.name == "a.png 1×5×9"
    found = pixels(case, 3)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[0].transpose(1, 2, 0), samples / 255, atol=1e-7)
    np.testing.assert_allclose(pixels(case, 1)[0, 0], luma(found[0].transpose(1, 2, 0)))


@pytest.mark.parametrize("channels", [1, 3])
def test_grey_pictures(tmp_path: Path, channels: int) -> None:
    samples = saved(tmp_path / "a.png", "L")
    (case,) = own_cases([tmp_path / "a.png"], [], SPEC)
    found = pixels(case, channels)
    assert found.shape == (1, channels, 5, 9)
    assert np.allclose(found, samples / 255)


def test_alpha_is_left_out(tmp_path: Path) -> None:
    samples = saved(tmp_path / "a.png", "RGBA")
    (case,) = own_cases([tmp_path / "a.png"], [], SPEC)
    np.testing.assert_allclose(pixels(case, 3)[0].transpose(1, 2, 0), samples[..., :3] / 255)


def test_sixteen_bits(tmp_path: Path) -> None:
    Image.fromarray(np.full((3, 4), 256, np.uint16)).save(tmp_path / "a.png")
    (case,) = own_cases([tmp_path / "a.png"], [], SPEC)
    assert np.allclose(pixels(case, 1), 256 / 65535)


def test_every_content_at_a_size() -> None:
    cases = own_cases([], [(12, 34), (5, 6)], SPEC)
    assert {(case.height, case.width) for case in cases} == {(12, 34), (5, 6)}
    assert {"noise", "photo", "zeros"} < {case.content for case in cases}
    assert all(pixels(case, 3).shape == (1, 3, case.height, case.width) for case in cases)


def test_a_fixed_batch_repeats_the_picture(tmp_path: Path) -> None:
    saved(tmp_path / "a.png", "RGB")
    (case,) = own_cases([tmp_path / "a.png"], [], SPEC, replace(SPEC, fixed_batch=2))
    found = pixels(case, 3)
    assert found.shape == (2, 3, 5, 9)
    assert np.array_equal(found[0], found[1])


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"fixed_size": (8, 8)}, "8×8 alone"),
        ({"size_maximum": 8}, "up to 8"),
        ({"size_multiple": 4}, "8×12 is the next"),
        ({"size_minimum": 7}, "7×9 is the next"),
        ({"square": True}, "9×9 is the next"),
    ],
)
def test_what_a_network_does_not_take_is_refused(
    tmp_path: Path, rule: dict[str, object], message: str
) -> None:
    """A picture that was cropped or padded would be another one."""
    saved(tmp_path / "a.png", "RGB")
    with pytest.raises(UsageError, match=message):
        own_cases([tmp_path / "a.png"], [], SPEC, replace(SPEC, **rule))
    with pytest.raises(UsageError, match="the size is 5×9"):
        own_cases([], [(5, 9)], replace(SPEC, **rule))


def test_a_network_that_pads_takes_any_size() -> None:
    assert own_cases([], [(5, 9)], replace(SPEC, size_multiple=8, pads=True))


def test_no_pictures_and_no_sizes(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(PictureError, match="no JPEG"):
        own_cases([tmp_path / "text.png"], [], SPEC)
    with pytest.raises(UsageError, match="at least 1"):
        own_cases([], [(0, 4)], SPEC)

"""``--alpha`` as a user types it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from subpixel.cli.main import run


@pytest.fixture
def texture(tmp_path: Path) -> Path:
    """Colours of their own, under alpha that is 0 but for a spot."""
    y, x = np.mgrid[:20, :30]
    rgba = np.stack([8 * x, 12 * y, 255 - 8 * x, 0 * x], axis=2).astype(np.uint8)
    rgba[8:12, 8:12, 3] = 255
    Image.fromarray(rgba).save(tmp_path / "texture.png")
    return tmp_path / "texture.png"


def upscale(texture: Path, *options: str) -> tuple[np.ndarray, np.ndarray]:
    """The picture at its old size, by means, and what it was, without its rim."""
    target = texture.with_name("out.png")
    command = ["upscale", str(texture), "-o", str(target), "--scale", "2", "--model", "fast"]
    assert run([*command, "--overwrite", *options]) == 0
    with Image.open(target) as larger, Image.open(texture) as image:
        means = np.asarray(larger, float).reshape(20, 2, 30, 2, 4).mean(axis=(1, 3))
        return means[2:-2, 2:-2], np.asarray(image, float)[2:-2, 2:-2]


def test_straight_keeps_what_is_hidden(texture: Path) -> None:
    seen, before = upscale(texture, "--alpha", "straight")
    assert np.abs(seen - before)[..., :3].max() <= 4
    assert np.abs(seen - before)[..., 3].mean() <= 4


@pytest.mark.parametrize("options", [[], ["--alpha", "repaint"]])
def test_the_default_replaces_it(texture: Path, options: list[str]) -> None:
    seen, before = upscale(texture, *options)
    assert np.abs(seen - before)[..., :3].mean() > 20


def test_other_words_are_refused(texture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["upscale", str(texture), "--alpha", "keep"]) == 2
    assert "'repaint', 'straight'" in capsys.readouterr().err


def test_the_help_explains_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["upscale", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "--alpha [repaint|straight]" in text
    assert "game textures" in text

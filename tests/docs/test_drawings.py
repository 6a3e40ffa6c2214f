"""The pictures of docs/choosing.md are what scripts/draw_docs.py draws."""

import numpy as np
import pytest
from draw_docs import FOLDER, denoise, kinds, networks
from PIL import Image

from subpixel.imaging.metrics import psnr

# Stored as WebP of quality 90, and the titles' letters may be drawn otherwise elsewhere.
LEAST_PSNR = 35.0


@pytest.mark.parametrize("draw", [networks, denoise, kinds])
def test_pictures_are_up_to_date(draw: object) -> None:
    assert callable(draw)
    stored = Image.open(FOLDER / f"{draw.__name__}.webp").convert("RGB")
    assert psnr(np.asarray(draw()), np.asarray(stored)) > LEAST_PSNR

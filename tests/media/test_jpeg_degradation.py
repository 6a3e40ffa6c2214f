import io

import numpy as np
import pytest
from PIL import Image

from subpixel.media.jpeg_degradation import through_jpeg


@pytest.mark.parametrize(("quality", "subsampling"), [(30, "4:2:0"), (95, "4:4:4")])
def test_as_pillow_compresses_it(quality: int, subsampling: str) -> None:
    """Both sit on libjpeg-turbo."""
    picture = np.random.default_rng(0).integers(0, 256, (33, 50, 3), dtype=np.uint8)
    stored = io.BytesIO()
    Image.fromarray(picture).save(stored, "JPEG", quality=quality, subsampling=subsampling)
    expected = np.asarray(Image.open(stored)).astype(int)
    assert np.abs(through_jpeg(picture, quality).astype(int) - expected).max() <= 1

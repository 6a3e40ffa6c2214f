"""What XMP says of the orientation is what EXIF or the container says of it."""

import re
from importlib.util import find_spec
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from samples import exif_block, smooth
from subpixel.media.formats.registry import FORMATS
from subpixel.media.image_file import read_picture, write_picture
from subpixel.media.picture import Metadata, Picture

HOLDING = sorted(
    form.suffixes[0]
    for form in FORMATS
    if form.capacity.xmp and (form.package is None or find_spec(form.package))
)
PACKET = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
 xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>"""


def stated(packet: bytes | None) -> int:
    assert packet is not None
    found = re.search(rb'Orientation="(\d)"', packet)
    assert found is not None
    return int(found[1])


@pytest.mark.parametrize(("first", "second"), list(product(HOLDING, HOLDING)))
def test_it_stays_true_from_format_to_format(tmp_path: Path, first: str, second: str) -> None:
    meta = Metadata(exif=exif_block(orientation=6), orientation=6, xmp=PACKET)
    write_picture(Picture(smooth(3), meta), tmp_path / f"a{first}")
    picture = read_picture(tmp_path / f"a{first}")
    assert stated(picture.metadata.xmp) == picture.metadata.orientation
    write_picture(picture, tmp_path / f"b{second}")
    again = read_picture(tmp_path / f"b{second}")
    assert stated(again.metadata.xmp) == again.metadata.orientation
    turned = np.rot90(smooth(3)[0], -1).shape[:2] == again.frames.shape[1:3]
    assert turned == (again.metadata.orientation == 1)

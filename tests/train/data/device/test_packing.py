from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from subpixel.errors import UsageError
from subpixel.imaging.colour import luma
from subpixel.media.photograph import photograph
from subpixel.train.data.device.luma_planes import luma_by_photograph, pack_folder
from subpixel.train.data.device.packing import LumaPack, read_pack, write_pack


def test_luma_comes_back_as_it_was(tmp_path: Path) -> None:
    """Of any size, noise and extremes included, photographs in half the room."""
    random = np.random.default_rng(0)
    photo = np.rint(luma(photograph())).astype(np.uint8)
    extremes = (random.integers(2, size=(33, 40)) * 255).astype(np.uint8)
    planes = [photo, random.integers(256, size=(7, 50), dtype=np.uint8), extremes, extremes[::-1]]
    pack = LumaPack({"a": planes[:2], "ä b": planes[2:3]}, {"c": planes[3:]})
    write_pack(tmp_path / "pack.npz", pack)
    again = read_pack(tmp_path / "pack.npz")
    assert (list(again.training), list(again.held_out)) == (["a", "ä b"], ["c"])
    for side, other in ((pack.training, again.training), (pack.held_out, again.held_out)):
        for name in side:
            for plane, copy in zip(side[name], other[name], strict=True):
                np.testing.assert_array_equal(plane, copy)
    write_pack(tmp_path / "photo.npz", LumaPack({"a": [photo]}, {}))
    assert (tmp_path / "photo.npz").stat().st_size < 0.7 * photo.size


@pytest.fixture
def tiles(tmp_path: Path) -> Path:
    for photo in range(4):
        for tile in range(photo + 1):
            noise = np.random.default_rng([photo, tile]).integers(0, 256, (32, 48, 3))
            Image.fromarray(noise.astype(np.uint8)).save(tmp_path / f"p{photo}_{tile * 16}_0.png")
    return tmp_path


def test_a_folder_is_packed_by_turns_as_far_as_there_is_room(tiles: Path) -> None:
    whole = pack_folder(tiles, 1 << 20)
    counts = {name: len(planes) for name, planes in whole.training.items()}
    assert counts == {"p0": 1, "p1": 2, "p2": 3}
    assert {name: len(planes) for name, planes in whole.held_out.items()} == {"p3": 1}
    # noise can't be compressed: six pictures of 32 × 48 fit, the one held out among them
    short = pack_folder(tiles, 6 * 32 * 48 + 900)
    assert {name: len(planes) for name, planes in short.training.items()} == {
        "p0": 1,
        "p1": 2,
        "p2": 2,
    }
    expected = np.rint(luma(np.asarray(Image.open(tiles / "p2_16_0.png")))).astype(np.uint8)
    np.testing.assert_array_equal(short.training["p2"][1], expected)


def test_a_gpu_gets_all_sizes(tiles: Path) -> None:
    groups = luma_by_photograph(sorted(tiles.glob("p1*")))
    assert [[plane.shape for plane in group] for group in groups] == [
        [(32, 48), (24, 36), (16, 24)] * 2
    ]


@pytest.mark.parametrize("damage", ["cut off", "text", "missing", "other"])
def test_what_is_no_pack_is_refused(tmp_path: Path, damage: str) -> None:
    file = tmp_path / "pack.npz"
    write_pack(file, LumaPack({"a": [np.zeros((8, 8), np.uint8)]}, {}))
    if damage == "cut off":
        file.write_bytes(file.read_bytes()[:-30])
    elif damage == "text":
        file.write_text("no pack")
    elif damage == "other":
        np.savez(file, format=np.array("something"))
    else:
        file.unlink()
    with pytest.raises(UsageError, match=r"pack\.npz holds no packed luma"):
        read_pack(file)

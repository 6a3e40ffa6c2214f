"""What tells one network from another: its bytes, wherever they lie."""

from pathlib import Path

import onnx
import pytest

from networks import sub_pixel_network
from subpixel.network.opening import open_network
from subpixel.upscaling.fingerprint import hash_network
from subpixel.upscaling.upscaler import Upscaler
from subpixel.zoo.manifest import find_bundled


def test_a_file_is_known_by_its_content(tmp_path: Path) -> None:
    first, second = tmp_path / "a.onnx", tmp_path / "b.onnx"
    bundled = find_bundled("fast", 3)
    for file in (first, second):
        file.write_bytes(bundled.path.read_bytes())
    assert hash_network(first, None) == hash_network(second, None) == bundled.sha256


def test_parameters_in_another_file_count(tmp_path: Path) -> None:
    file = tmp_path / "a.onnx"
    onnx.save(
        sub_pixel_network(3), file, save_as_external_data=True, location="w", size_threshold=0
    )
    before = hash_network(file, None)
    weights = bytearray((tmp_path / "w").read_bytes())
    assert hash_network(file, None) == before
    weights[0] ^= 1
    (tmp_path / "w").write_bytes(weights)
    assert hash_network(file, None) != before


def test_bundled_networks_are_known_by_their_family() -> None:
    names = ("balanced", "balanced-int8", "denoise-25", "denoise")
    assert len({hash_network(name, 2) for name in names}) == 1
    assert hash_network("fast", 2) == hash_network("fast-int8", 3) != hash_network("balanced", 2)


def test_an_open_network() -> None:
    assert hash_network(open_network("fast", scale=2), None) == find_bundled("fast", 2).sha256


@pytest.mark.parametrize("options", [{"alpha": "straight"}, {"denoise": 1.0}, {"tile": 64}])
def test_a_fingerprint_has_what_pixels_depend_on(options: dict[str, object]) -> None:
    plain = Upscaler(scale=2).fingerprint()
    other = Upscaler(scale=2, **options).fingerprint()  # type: ignore[arg-type]
    assert sum(plain[name] != other[name] for name in plain) == 1
    assert Upscaler(scale=2, threads=1).fingerprint() == plain

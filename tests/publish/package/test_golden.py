"""Every bundled network has a golden picture, and ONNX Runtime makes it here."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from subpixel.errors import NetworkError
from subpixel.graph.metadata import load_model, read_spec
from subpixel.publish.package import golden
from subpixel.publish.package.golden import make_golden
from subpixel.zoo.manifest import INT8, BundledNetwork, find_bundled, read_manifest

FAST = ("fast", "fast-int8")
ROWS = [
    pytest.param(row, marks=[] if row.name in FAST else pytest.mark.slow, id=Path(row.file).stem)
    for row in read_manifest()
]


@pytest.mark.parametrize("row", ROWS)
def test_each_bundled_network_has_one(row: BundledNetwork) -> None:
    model = load_model(row.path)
    spec = read_spec(model)
    assert spec is not None
    found = make_golden(model, spec)
    assert (found.values is None) == row.name.endswith(INT8)
    assert found.codes.shape == (47 * row.scale, 61 * row.scale, 3)
    found.expect_from(row.path.read_bytes())


def test_another_place_is_taken_where_processors_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of the ways to add is made to differ on the first place alone."""
    model = load_model(find_bundled("fast-int8", 2).path)
    spec = read_spec(model)
    assert spec is not None
    evaluate, usual, calls = golden.evaluate_integers, make_golden(model, spec), []

    def differ(*arguments: object) -> np.ndarray:
        calls.append(arguments)
        result = evaluate(*arguments)  # type: ignore[arg-type]
        return 255 - result if len(calls) == 2 else result

    monkeypatch.setattr(golden, "evaluate_integers", differ)
    moved = make_golden(model, spec)
    assert len(calls) == 6
    assert not np.array_equal(moved.picture, usual.picture)
    moved.expect_from(find_bundled("fast-int8", 2).path.read_bytes())


def test_a_picture_that_is_off_is_refused_with_by_how_much() -> None:
    model = load_model(find_bundled("fast", 2).path)
    spec = read_spec(model)
    assert spec is not None
    found = make_golden(model, spec)
    found.expect_codes(np.minimum(found.codes, 254) + np.uint8(1))
    with pytest.raises(NetworkError, match="code values differ, by up to 2"):
        found.expect_codes(np.minimum(found.codes, 253) + np.uint8(2))
    assert found.values is not None
    wrong = replace(found, values=found.values + np.float32(0.0015))
    with pytest.raises(NetworkError, match=r"values differ by up to 0\.0015"):
        wrong.expect_from(find_bundled("fast", 2).path.read_bytes())

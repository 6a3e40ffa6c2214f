"""A network's facts are checked against its graph: a lie is an error, never another picture."""

import json
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from subpixel.errors import NetworkError, SpecError, SubpixelError
from subpixel.graph.metadata import load_model, read_spec, with_spec
from subpixel.network.opening import open_network
from subpixel.runtime.session import Session
from subpixel.spec import METADATA_PREFIX, ModelSpec
from subpixel.upscaling.upscaler import Upscaler
from subpixel.zoo.manifest import find_bundled

FAST, INT8 = find_bundled("fast", 2).path, find_bundled("fast-int8", 2).path
PICTURE = np.random.default_rng(0).integers(0, 256, (41, 37, 3), np.uint8)


def _spec(file: Path) -> ModelSpec:
    spec = read_spec(load_model(file))
    assert spec is not None
    return spec


def _write(file: Path, source: Path, spec: ModelSpec) -> Path:
    file.write_bytes(with_spec(load_model(source), spec).SerializeToString())
    return file


LIES: dict[str, dict[str, Any]] = {
    "scale": {"scale": 3},
    "huge scale": {"scale": 1 << 20},
    "channels": {"interface": "luma"},
    "samples": {"samples": "uint8"},
    "halo": {"halo": 0},
    "halo by one": {"halo": _spec(FAST).halo - 1},  # type: ignore[operator]
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_that_the_graph_shows_is_an_error(lie: str, tmp_path: Path) -> None:
    file = _write(tmp_path / "net.onnx", FAST, replace(_spec(FAST), **LIES[lie]))
    with pytest.raises(SpecError, match=r"net\.onnx: the file's facts say .* its graph"):
        open_network(file)


@pytest.mark.parametrize(
    "lie",
    [
        {"scale": 3},
        {"samples": "float"},
        {"interface": "luma"},
    ],
    ids=str,
)
def test_so_is_one_of_integers(lie: dict[str, Any], tmp_path: Path) -> None:
    file = _write(tmp_path / "net.onnx", INT8, replace(_spec(INT8), **lie))
    with pytest.raises(SpecError, match="its graph"):
        open_network(file)


@pytest.mark.parametrize(
    ("axis", "length", "fact"),
    [(2, 24, "height"), (3, 24, "width"), (0, 2, "batch")],
)
def test_axes_that_the_graph_fixes_are_fixed_in_the_facts(
    axis: int, length: int, fact: str, tmp_path: Path
) -> None:
    model = load_model(FAST)
    model.graph.input[0].type.tensor_type.shape.dim[axis].dim_value = length
    onnx.save(model, tmp_path / "net.onnx")
    with pytest.raises(SpecError, match=f"say {fact} any, and its graph takes {length}"):
        open_network(tmp_path / "net.onnx")


def test_a_halo_that_is_more_than_needed_is_no_lie(tmp_path: Path) -> None:
    spec = _spec(FAST)
    assert spec.halo is not None
    file = _write(tmp_path / "net.onnx", FAST, replace(spec, halo=spec.halo + 3))
    assert open_network(file).spec.halo == spec.halo + 3


@pytest.mark.parametrize("file", [FAST, INT8], ids=["fp32", "int8"])
def test_true_facts_are_believed(file: Path, tmp_path: Path) -> None:
    copy = _write(tmp_path / "net.onnx", file, _spec(file))
    assert open_network(copy).spec == open_network(file).spec


def test_metadata_that_is_no_text_is_an_error(tmp_path: Path) -> None:
    content = FAST.read_bytes().replace(b"subpixel.origin", b"subpixel.\xff\xferigi")
    (tmp_path / "net.onnx").write_bytes(content)
    with pytest.raises(NetworkError):
        _ = Session(tmp_path / "net.onnx").metadata


SEEN = ("scale", "interface", "samples", "halo", "fixed_size", "fixed_batch", "size_multiple")
SEEN += ("size_minimum", "size_maximum", "square", "precision")
"""The facts that decide how a picture is computed, but for those that no graph can show: what is
done at the edges of a picture whose size doesn't suit."""

VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-2, 40)
    | st.sampled_from([1 << 20, 10**9, 10**30, 0.5, 1e308, "ab", "rgb", "luma", "uint8", "fp32"])
    | st.lists(st.sampled_from([0, 1, 8, 41, 37, 1 << 20, "ab", None]), max_size=3)
    | st.dictionaries(st.text(max_size=3), st.integers(), max_size=2)
).map(json.dumps)
TEXTS = VALUES | st.sampled_from(["", "[" * 9999, "9" * 5000, "NaN", "Infinity", "nul"])


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.dictionaries(st.sampled_from(SEEN), TEXTS, min_size=1, max_size=2))
def test_whatever_the_facts_are_the_picture_is_the_same_or_the_error_is_ours(
    tmp_path: Path, facts: dict[str, str]
) -> None:
    model = load_model(FAST)
    for prop in model.metadata_props:
        prop.value = facts.get(prop.key.removeprefix(METADATA_PREFIX), prop.value)
    (tmp_path / "net.onnx").write_bytes(model.SerializeToString())
    larger: np.ndarray[Any, Any] | None = None
    with suppress(SubpixelError):
        larger = Upscaler(tmp_path / "net.onnx", tuning=False, threads=1)(PICTURE)
    if larger is None:
        return
    expected = Upscaler(FAST, tuning=False, precision="fp32", threads=1)(PICTURE)
    assert larger.shape == expected.shape
    changed = {key for key in asdict(_spec(FAST)) if key in facts}
    inner = slice(0, 60) if changed & {"size_multiple", "size_minimum", "square"} else slice(None)
    gap = np.abs(larger[inner, inner].astype(int) - expected[inner, inner].astype(int))
    assert gap.max() <= 1

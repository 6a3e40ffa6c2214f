"""What scripts/check_dist.py asks of an archive."""

from check_dist import PACKAGE, find_faults


def _whole() -> set[str]:
    return {f"subpixel/{path.relative_to(PACKAGE).as_posix()}" for path in PACKAGE.rglob("*.*")}


def _without_caches() -> set[str]:
    return {name for name in _whole() if "__pycache__" not in name}


def test_the_whole_package_is_right() -> None:
    assert find_faults(_without_caches(), "subpixel") == []


def test_what_is_missing() -> None:
    names = {n for n in _without_caches() if not n.endswith(("/py.typed", "/fast-x3.onnx"))}
    faults = ["py.typed is missing", "zoo/fast-x3.onnx is missing"]
    assert find_faults(names, "subpixel") == faults


def test_what_does_not_belong_there() -> None:
    names = _without_caches() | {"tests/data.png", "weights/fast-x3.safetensors"}
    assert find_faults(names, "subpixel") == [
        "tests/data.png does not belong there",
        "weights/fast-x3.safetensors does not belong there",
    ]

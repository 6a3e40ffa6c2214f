"""The face of the package is one list: what is on it is there, and nothing else is."""

import pytest

import subpixel


def test_the_face_is_this() -> None:
    assert subpixel.__all__ == [
        "upscale",
        "Upscaler",
        "TargetSize",
        "Picture",
        "EncodeOptions",
        "read_picture",
        "write_picture",
        "export",
        "ReleaseReport",
        "CheckReport",
        "verify",
        "ParityReport",
        "Tolerance",
        "ModelSpec",
        "SubpixelError",
        "__version__",
    ]


@pytest.mark.parametrize("name", subpixel.__all__)
def test_every_name_is_there_and_documented(name: str) -> None:
    thing = getattr(subpixel, name)
    assert name == "__version__" or thing.__doc__


def test_other_names_are_not_there() -> None:
    with pytest.raises(AttributeError, match="no attribute 'enlarge'"):
        subpixel.enlarge  # noqa: B018


def test_dir_shows_the_face() -> None:
    assert dir(subpixel) == sorted(subpixel.__all__)

"""numpy arrays and Pillow images as pictures, and back.

Pillow is no dependency: an object can only be its image when Pillow has been imported already.
"""

import io
import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import UsageError
from subpixel.media.metadata import colour_tags, exif, icc, tags
from subpixel.media.metadata.profile_building import Chromaticities
from subpixel.media.picture import FULL_SCALE, Loss, Metadata, Picture, convert_samples

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

    AnyImage = NDArray[Any] | PillowImage

ImageLike = TypeVar("ImageLike", bound="AnyImage")

ALLOWED = (
    "give a numpy array of shape (H, W) or (H, W, 1 to 4) and dtype uint8, uint16 or float32 "
    "in 0 to 1, or a Pillow image"
)

FLOAT_SLACK = 1e-3
"""By how much float samples may lie outside 0 … 1: rounding, a quarter of an 8-bit code value."""

_MM_PER_INCH = 25.4
_AS_THEY_ARE = ("L", "LA", "RGB", "RGBA")
_INTO = {"1": "L", "La": "LA", "RGBa": "RGBA", "PA": "RGBA", "RGBX": "RGB", "YCbCr": "RGB"}
_GREY = ("1", "L", "LA", "La", "I;16", "I;16L", "I;16B", "I;16N")
_OF_THE_FILE = (
    tags.STORAGE | tags.BLOCKS | tags.SEPARATE.difference({tags.ORIENTATION}) | tags.LOST.keys()
)
"""Fields of a TIFF file that say nothing of its picture, or what Pillow has apart from EXIF."""
_TIFF_STRUCTURE = frozenset({0x0111, 0x0144})
"""Fields of every TIFF file: where its strips or tiles are."""
_SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N")


def to_picture(image: object) -> Picture:
    """An array or a Pillow image as a picture of one frame, its samples unchanged.

    Arrays are ``(H, W)`` or ``(H, W, C)`` with one to four channels, uint8, uint16 or float32 in
    0 … 1; a contiguous one is shared, not copied. Of Pillow images all modes of 8 and 16 bits
    are taken: palettes become RGB or RGBA, CMYK becomes sRGB through its profile (recorded in
    ``losses``); profile, EXIF, XMP and resolution come along; of an animation its current frame.

    Raises :class:`UsageError` for anything else, with the line that makes it an image where there
    is one, and for float samples that are no numbers or lie outside 0 … 1.
    """
    if isinstance(image, np.ndarray):
        return _picture_from_array(image)
    pillow = _as_pillow(image)
    if pillow is None:
        raise UsageError(f"got {type(image).__name__}; {ALLOWED}{_hint_at_object(image)}")
    return _picture_from_pillow(pillow)


def like(image: ImageLike, picture: Picture) -> ImageLike:
    """The first frame of ``picture`` as the same kind of thing as ``image``.

    An array has as many dimensions as ``image`` and the picture's dtype. A Pillow image has the
    mode that fits (palettes as RGB or RGBA), and the profile, EXIF (with the new size), XMP and
    resolution of ``image``. Raises :class:`UsageError` when ``image`` is neither.
    """
    frame = picture.frames[0]
    if isinstance(image, np.ndarray):
        return cast(ImageLike, frame[..., 0] if image.ndim == 2 else frame)
    pillow = _as_pillow(image)
    if pillow is None:
        raise UsageError(f"got {type(image).__name__}; {ALLOWED}")
    return cast(ImageLike, _to_pillow(pillow, picture))


def _picture_from_array(array: NDArray[Any]) -> Picture:
    channels = array.shape[2:] or (1,)
    fits = array.ndim in (2, 3) and array.size and 1 <= channels[0] <= 4
    if not fits or array.dtype not in FULL_SCALE:
        raise UsageError(
            f"got an array of shape {array.shape} and dtype {array.dtype}; {ALLOWED}"
            f"{_hint_at_array(array)}"
        )
    if isinstance(array, np.ma.MaskedArray):
        raise UsageError(
            f"got a masked array, whose mask would be lost; {ALLOWED}: image.filled() makes one"
        )
    if array.dtype == np.float32:
        expect_unit_samples(array, ALLOWED)
    frames = np.ascontiguousarray(array).reshape(1, *array.shape[:2], *channels)
    return Picture(frames)


def expect_unit_samples(array: NDArray[np.float32], allowed: str) -> None:
    """Raises :class:`UsageError` for samples that are no numbers or lie outside 0 … 1 by more than
    :data:`FLOAT_SLACK`, with what is ``allowed`` and what probably mends them."""
    low, high = float(array.min()), float(array.max())  # NaN where any sample is
    if not np.isfinite([low, high]).all():
        raise UsageError("got an array with samples that are infinite or no numbers; mend them")
    if low < -FLOAT_SLACK or high > 1 + FLOAT_SLACK:
        raise UsageError(
            f"got float32 samples from {low:g} to {high:g}; {allowed}: {_hint_at_range(low, high)}"
        )


def _hint_at_range(low: float, high: float) -> str:
    """How samples of that range are probably brought into 0 … 1."""
    if low >= -FLOAT_SLACK and 2 < high <= 65535:
        top = 255 if high <= 255 else 65535
        return f"divide by {top} where that is white: image / {top}"
    clip = "np.clip(image, 0, 1) cuts off what is beyond"
    if low >= -1 - FLOAT_SLACK and high <= 1 + FLOAT_SLACK:
        return f"(image + 1) / 2 where black is -1, or {clip}"
    return clip


def _hint_at_array(array: NDArray[Any]) -> str:
    """The line that makes ``array`` an image, where there is one."""
    steps = _hint_at_shape(array.shape)
    if array.dtype not in FULL_SCALE and array.size:
        steps += _hint_at_dtype(array)
    return f": image{steps}" if steps else ""


def _hint_at_shape(shape: tuple[int, ...]) -> str:
    """What is appended to an array of that shape to have ``(H, W, C)``, where that is known."""
    if len(shape) == 4 and shape[0] == 1:
        return "[0]" + _hint_at_shape(shape[1:])
    last = len(shape) == 3 and 1 <= shape[2] <= 4
    first = len(shape) == 3 and 1 <= shape[0] <= 4
    return ".transpose(1, 2, 0)" if first and not last else ""


def _hint_at_dtype(array: NDArray[Any]) -> str:
    """What is appended to an array to have samples of one of our types, where that is known."""
    if array.dtype == np.bool_:
        return ".astype(np.uint8) * 255"
    if array.dtype.kind == "f":
        return ".astype(np.float32)" + (" / 255" if 2 < array.max() <= 255 else "")
    if array.dtype.kind not in "iu" or array.min() < 0 or array.max() > 65535:
        return ""
    eight = array.dtype.itemsize != 2 and array.max() <= 255
    return f".astype(np.uint{8 if eight else 16})"


def _hint_at_object(image: object) -> str:
    """The line that makes ``image``, which is no array, an image, where there is one."""
    kind = type(image)
    if isinstance(image, str | os.PathLike):
        return (
            f"; files: subpixel.Upscaler().file({os.fspath(image)!r}, 'larger.png'), which keeps "
            "what they carry"
        )
    if isinstance(image, bytes | bytearray | memoryview):
        return "; of a file's bytes: PIL.Image.open(io.BytesIO(data))"
    if isinstance(image, Picture):
        return "; pictures: subpixel.Upscaler().picture(picture)"
    if kind.__module__ == "torch" and hasattr(image, "permute"):
        return f"; of a tensor: {_hint_at_tensor(image)}"
    if hasattr(image, "read"):
        return "; of an open file: PIL.Image.open(file)"
    if isinstance(image, list | tuple) or hasattr(image, "__array__"):
        return "; of what is like an array: np.asarray(image)"
    return ""


def _hint_at_tensor(tensor: Any) -> str:  # noqa: ANN401 - PyTorch isn't imported for that
    """The line that makes a tensor of PyTorch, ``(C, H, W)`` or ``(1, C, H, W)``, an array."""
    batch = "[0]" if tensor.ndim == 4 else ""
    order = ".permute(1, 2, 0)" if tensor.ndim >= 3 else ""
    return f"tensor{batch}{order}.detach().cpu().numpy()"


def _as_pillow(image: object) -> "PillowImage | None":
    module = sys.modules.get("PIL.Image")
    return image if module is not None and isinstance(image, module.Image) else None


def _picture_from_pillow(image: "PillowImage") -> Picture:
    image.load()  # a TIFF is turned upright by that, and a PNG may have its EXIF at its end
    profile, losses = _read_pillow_profile(image)
    picture = _take_samples(image, _read_pillow_metadata(image, profile))
    return replace(picture, losses=losses + picture.losses)


def _take_samples(image: "PillowImage", meta: Metadata) -> Picture:
    if image.mode in _SIXTEEN_BITS:
        samples = np.asarray(image).astype(np.uint16)
        return replace(_picture_from_array(samples), metadata=meta)
    if image.mode == "CMYK":
        return _picture_from_cmyk(image, meta)
    return replace(_picture_from_array(np.asarray(_unfold(image))), metadata=meta)


def _unfold(image: "PillowImage") -> "PillowImage":
    """The same picture in one of the modes that are samples as they are."""
    if image.mode == "P":
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    if image.mode in _AS_THEY_ARE and "transparency" not in image.info:
        return image
    if image.mode in _AS_THEY_ARE:
        return image.convert({"L": "LA", "RGB": "RGBA"}.get(image.mode, image.mode))
    if image.mode in _INTO:
        return image.convert(_INTO[image.mode])
    raise UsageError(
        f"got a Pillow image of mode {image.mode}; convert it to L, LA, RGB, RGBA or I;16"
    )


def _picture_from_cmyk(image: "PillowImage", meta: Metadata) -> Picture:
    if meta.icc is None:
        return _invert_inks(image, meta, "CMYK without a profile")
    fault = icc.reject_cmyk_profile(meta.icc)
    if fault is None:
        converted = _convert_inks(image, meta.icc)
        if converted is not None:
            loss = Loss("colour", "CMYK turned into sRGB through its own profile")
            samples, srgb = converted
            new = replace(meta, icc=srgb)
            return replace(_picture_from_array(samples), metadata=new, losses=(loss,))
    reason = f"CMYK without a profile ({fault or 'its own is damaged'})"
    return _invert_inks(image, replace(meta, icc=None), reason)


def _convert_inks(image: "PillowImage", profile: bytes) -> tuple[NDArray[np.uint8], bytes] | None:
    """The samples as sRGB, and its profile; None where the image's profile is damaged."""
    from PIL import ImageCms

    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    intent, flags = ImageCms.Intent.RELATIVE_COLORIMETRIC, ImageCms.Flags.BLACKPOINTCOMPENSATION
    try:
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        turn = ImageCms.buildTransform(own, srgb, "CMYK", "RGB", intent, flags)
    except (OSError, ImageCms.PyCMSError):
        return None
    return np.asarray(turn.apply(image)), srgb.tobytes()


def _invert_inks(image: "PillowImage", meta: Metadata, what: str) -> Picture:
    loss = Loss("colour", f"{what} turned into RGB by inverting its inks")
    samples = np.asarray(image.convert("RGB"))
    return replace(_picture_from_array(samples), metadata=meta, losses=(loss,))


def _read_pillow_metadata(image: "PillowImage", profile: bytes | None) -> Metadata:
    block = image.info.get("exif") or _read_own_exif(image)
    across, down = image.info.get("dpi", (0, 0))
    resolution = (float(across) / _MM_PER_INCH, float(down) / _MM_PER_INCH)
    xmp = image.info.get("xmp")
    return Metadata(
        icc=profile,
        exif=block,
        xmp=xmp.encode() if isinstance(xmp, str) else xmp,
        orientation=exif.orientation_in(block),
        resolution=resolution if min(resolution) > 0 else None,
    )


def _read_pillow_profile(image: "PillowImage") -> tuple[bytes | None, tuple[Loss, ...]]:
    """The image's profile, or the one that a PNG's chromaticities and gamma describe."""
    profile = image.info.get("icc_profile")
    if profile or "srgb" in image.info:
        return icc.repair_length(profile) if profile else None, ()
    numbers = image.info.get("chromaticity")
    colours = None
    if numbers is not None:
        white, red, green, blue = zip(numbers[::2], numbers[1::2], strict=True)
        colours = Chromaticities(red, green, blue, white)
    try:
        gamma, grey = image.info.get("gamma"), image.mode in _GREY
        return colour_tags.describe_encoding(colours, gamma, grey=grey), ()
    except ValueError as error:
        return None, (Loss("colour", f"{error} (gamma, chromaticity); not applied"),)


def _read_own_exif(image: "PillowImage") -> bytes | None:
    """What Pillow holds as EXIF; of a TIFF only what describes the photograph, not its strips."""
    own = image.getexif()
    if _TIFF_STRUCTURE.isdisjoint(own):
        return own.tobytes() if own else None
    descriptive = type(own)()
    descriptive.load(own.tobytes())
    for tag in _OF_THE_FILE.intersection(descriptive):
        del descriptive[tag]
    return descriptive.tobytes() if descriptive else None


def _to_pillow(image: "PillowImage", picture: Picture) -> "PillowImage":
    module = sys.modules["PIL.Image"]
    frame = picture.frames[0]
    if image.mode in _SIXTEEN_BITS:
        new = module.fromarray(convert_samples(frame[..., 0], np.dtype(np.uint16)))
    else:
        flat = frame[..., 0] if frame.shape[-1] == 1 else frame
        new = module.fromarray(convert_samples(np.ascontiguousarray(flat), np.dtype(np.uint8)))
    new.info = _info(image, picture)
    return cast("PillowImage", new)


def _info(image: "PillowImage", picture: Picture) -> dict[str | tuple[int, int], Any]:
    """What Pillow writes into a file when it is asked to, true for the new picture."""
    meta = picture.metadata
    block = exif.adjust_block(
        meta.exif, width=picture.width, height=picture.height, orientation=meta.orientation
    )
    info: dict[str | tuple[int, int], Any] = {
        key: image.info[key] for key in ("dpi", "xmp") if key in image.info
    }
    if meta.icc is not None:
        info["icc_profile"] = meta.icc
    if block is not None:
        info["exif"] = exif.EXIF_PREFIX + block
    return info

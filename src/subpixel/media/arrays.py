"""numpy arrays and Pillow images as pictures, and back.

Pillow is no dependency: an object can only be its image when Pillow has been imported already.
"""

import io
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import UsageError
from subpixel.media.metadata import colour_tags, exif, icc
from subpixel.media.metadata.profile_building import Chromaticities
from subpixel.media.picture import FULL_SCALE, Loss, Metadata, Picture, convert_samples

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

ImageLike = TypeVar("ImageLike")

ALLOWED = (
    "give a numpy array of shape (H, W) or (H, W, 1 to 4) and dtype uint8, uint16 or float32 "
    "in 0 to 1, or a Pillow image"
)

_MM_PER_INCH = 25.4
_AS_THEY_ARE = ("L", "LA", "RGB", "RGBA")
_INTO = {"1": "L", "La": "LA", "RGBa": "RGBA", "PA": "RGBA", "RGBX": "RGB", "YCbCr": "RGB"}
_GREY = ("1", "L", "LA", "La", "I;16", "I;16L", "I;16B", "I;16N")
_SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N")


def to_picture(image: object) -> Picture:
    """An array or a Pillow image as a picture of one frame, its samples unchanged.

    Arrays are ``(H, W)`` or ``(H, W, C)`` with one to four channels, uint8, uint16 or float32 in
    0 … 1; a contiguous one is shared, not copied. Of Pillow images all modes of 8 and 16 bits
    are taken: palettes become RGB or RGBA, CMYK becomes sRGB through its profile (recorded in
    ``losses``); profile, EXIF, XMP and resolution come along; of an animation its current frame.

    Raises :class:`UsageError` for anything else, and for float samples that are no numbers.
    """
    if isinstance(image, np.ndarray):
        return _picture_from_array(image)
    pillow = _as_pillow(image)
    if pillow is None:
        raise UsageError(f"got {type(image).__name__}; {ALLOWED}")
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
        raise UsageError(f"got an array of shape {array.shape} and dtype {array.dtype}; {ALLOWED}")
    if array.dtype == np.float32 and not np.isfinite(array).all():
        raise UsageError("got an array with samples that are infinite or no numbers; mend them")
    frames = np.ascontiguousarray(array).reshape(1, *array.shape[:2], *channels)
    return Picture(frames, bit_depth=array.dtype.itemsize * 8)


def _as_pillow(image: object) -> "PillowImage | None":
    module = sys.modules.get("PIL.Image")
    return image if module is not None and isinstance(image, module.Image) else None


def _picture_from_pillow(image: "PillowImage") -> Picture:
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
    block = image.info.get("exif") or image.getexif().tobytes() or None
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

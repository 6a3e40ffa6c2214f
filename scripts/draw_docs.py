"""Draw the pictures of docs/choosing.md from the bundled photograph and from sample_pictures.py.

    python scripts/draw_docs.py            # into docs/pictures
    python scripts/draw_docs.py FOLDER

Needs Pillow, which the extra `test` brings. The networks run on the CPU, so the pictures come out
the same wherever they are drawn, but for the letters of their titles.
"""

import io
import sys
from collections.abc import Mapping
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from sample_pictures import draw_all

import subpixel

REPOSITORY = Path(__file__).resolve().parents[1]
FOLDER = REPOSITORY / "docs" / "pictures"
EYES = (150, 60, 270, 150)
"""Left, top, right, bottom of the part that is shown, in pixels of the photograph."""
SCALE = 3
JPEG_QUALITY = 40
PHONE_QUALITY, SCAN_QUALITY = 85, 75
KIND = (96, 64)
"""Width and height of the part that is shown of each kind of picture."""
KINDS = {"screenshot": (242, 294), "drawing": (170, 205), "scan": (40, 60), "logo": (140, 190)}
"""Left and top of that part."""
TITLE = 22
"""Height of the line above each picture, in pixels."""


def photograph() -> Image.Image:
    (path,) = (REPOSITORY / "src" / "subpixel").rglob("photo.jpg")
    return Image.open(path).convert("RGB").crop(EYES)


def interpolated(picture: Image.Image) -> Image.Image:
    width, height = picture.size
    return picture.resize((SCALE * width, SCALE * height), Image.Resampling.BICUBIC)


def upscaled(picture: Image.Image, network: str) -> Image.Image:
    return subpixel.Upscaler(network, scale=SCALE, device="cpu")(picture)


def as_jpeg(picture: Image.Image, quality: int = JPEG_QUALITY) -> Image.Image:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def side_by_side(pictures: Mapping[str, Image.Image], columns: int) -> Image.Image:
    """The pictures, of one size, in a grid, each with its title above."""
    width, height = next(iter(pictures.values())).size
    lines = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (columns * (width + 8) - 8, lines * (height + TITLE + 8) - 8), "white")
    draw = ImageDraw.Draw(sheet)
    for index, (title, picture) in enumerate(pictures.items()):
        left = index % columns * (width + 8)
        top = index // columns * (height + TITLE + 8)
        draw.text((left + 2, top + 3), title, fill="black", font=ImageFont.load_default(14))
        sheet.paste(picture, (left, top + TITLE))
    return sheet


def networks() -> Image.Image:
    photo = photograph()
    shown = {name: upscaled(photo, name) for name in ("fast", "balanced", "espcn")}
    return side_by_side({"bicubic interpolation": interpolated(photo), **shown}, 2)


def denoise() -> Image.Image:
    photo = as_jpeg(photograph())
    shown = {name: upscaled(photo, name) for name in ("balanced", "denoise")}
    return side_by_side({f"bicubic, JPEG {JPEG_QUALITY}": interpolated(photo), **shown}, 3)


def kinds() -> Image.Image:
    """A photograph as phones store it, and what is no photograph."""
    width, height = KIND
    photo = photograph().crop((0, 0, width, height))
    drawn = {
        name: picture.crop((*KINDS[name], KINDS[name][0] + width, KINDS[name][1] + height))
        for name, picture in draw_all().items()
    }
    drawn["scan"] = as_jpeg(drawn["scan"], SCAN_QUALITY)
    rows = {"phone": as_jpeg(photo, PHONE_QUALITY), **drawn}
    shown = {}
    for name, picture in rows.items():
        network = "auto" if name in ("phone", "scan") else "drawing"
        shown[f"{name}, bicubic"] = interpolated(picture)
        shown[f"{name}, balanced"] = upscaled(picture, "balanced")
        shown[f"{name}, {network}"] = upscaled(picture, network)
    return side_by_side(shown, 3)


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for name, draw in (("networks", networks), ("denoise", denoise), ("kinds", kinds)):
        draw().save(folder / f"{name}.webp", quality=90, method=6)


if __name__ == "__main__":
    main()

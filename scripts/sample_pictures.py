"""Pictures of other kinds than photographs, drawn here: a screenshot, a drawing, a scan, a logo.

Each is drawn large and without JPEG damage, so that a smaller one can be made of it and compared.
"""

from collections.abc import Mapping

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

SIDE = 384
"""Of each picture, in pixels."""

PAPER, INK = (246, 244, 238), (30, 32, 40)
TEXT = "Sub-pixel convolution\nrearranges channels\ninto pixels. 0123456789"


def draw_all() -> Mapping[str, Image.Image]:
    return {"screenshot": screenshot(), "drawing": drawing(), "scan": scan(), "logo": logo()}


def screenshot() -> Image.Image:
    """A window with a title, a list and a button, as sharp as screens are."""
    image = Image.new("RGB", (SIDE, SIDE), (226, 230, 236))
    draw = ImageDraw.Draw(image)
    draw.rectangle((24, 24, 360, 360), fill="white", outline=(120, 128, 140))
    draw.rectangle((24, 24, 360, 60), fill=(52, 101, 164))
    draw.text((36, 32), "Settings", fill="white", font=ImageFont.load_default(20))
    for row, word in enumerate(("Brightness", "Contrast", "Language", "Network", "Updates")):
        top = 76 + 42 * row
        draw.text((40, top), word, fill=INK, font=ImageFont.load_default(18))
        draw.rectangle((220, top + 6, 340, top + 14), fill=(210, 214, 220))
        draw.rectangle((220, top + 6, 240 + 20 * row, top + 14), fill=(78, 154, 6))
    draw.rectangle((250, 310, 340, 344), fill=(239, 41, 41), outline=(164, 0, 0))
    draw.text((272, 316), "Close", fill="white", font=ImageFont.load_default(18))
    return image


def drawing() -> Image.Image:
    """A landscape in flat colours with black outlines."""
    image = Image.new("RGB", (4 * SIDE, 4 * SIDE), (160, 210, 240))
    draw = ImageDraw.Draw(image)
    hills = [(0, 1000), (260, 760), (520, 900), (900, 560), (1200, 820), (1536, 640)]
    draw.polygon([*hills, (1536, 1536), (0, 1536)], fill=(120, 180, 90), outline=INK, width=14)
    draw.ellipse((1050, 120, 1350, 420), fill=(250, 220, 80), outline=INK, width=14)
    draw.rectangle((300, 900, 700, 1300), fill=(220, 120, 90), outline=INK, width=14)
    draw.polygon([(250, 910), (500, 680), (750, 910)], fill=(150, 60, 50), outline=INK, width=14)
    draw.rectangle((450, 1080, 560, 1300), fill=(110, 70, 40), outline=INK, width=10)
    draw.ellipse((950, 900, 1300, 1250), fill=(60, 130, 70), outline=INK, width=14)
    draw.rectangle((1095, 1240, 1155, 1420), fill=(110, 70, 40), outline=INK, width=10)
    return image.resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def scan() -> Image.Image:
    """Print on paper, a little askew, with the grain of a scanner."""
    image = Image.new("RGB", (2 * SIDE, 2 * SIDE), PAPER)
    draw = ImageDraw.Draw(image)
    for row in range(4):
        place = (60, 40 + 180 * row)
        draw.multiline_text(place, TEXT, fill=INK, font=ImageFont.load_default(46), spacing=8)
    turned = image.rotate(1.5, Image.Resampling.BICUBIC, fillcolor=PAPER)
    blurred = turned.filter(ImageFilter.GaussianBlur(1.2)).resize((SIDE, SIDE))
    grain = np.random.default_rng(0).normal(0, 3, (SIDE, SIDE, 1))
    return Image.fromarray(np.clip(np.asarray(blurred) + grain, 0, 255).astype(np.uint8))


def logo() -> Image.Image:
    """Three colours and smooth edges."""
    image = Image.new("RGB", (4 * SIDE, 4 * SIDE), "white")
    draw = ImageDraw.Draw(image)
    draw.ellipse((160, 160, 1376, 1376), fill=(32, 74, 135))
    draw.ellipse((400, 400, 1136, 1136), fill="white")
    draw.polygon([(768, 260), (1240, 1200), (296, 1200)], fill=(245, 121, 0))
    draw.text((540, 800), "sub", fill="white", font=ImageFont.load_default(300))
    return image.resize((SIDE, SIDE), Image.Resampling.LANCZOS)

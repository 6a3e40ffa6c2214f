"""What tells one cause from another."""

import re
import traceback
from pathlib import Path

MAX_SIGNATURE = 160


def sign(error: BaseException) -> str:
    """The exception, and the innermost line of subpixel that it passed."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "/subpixel/" in f.filename]
    at = f"{Path(frames[-1].filename).name}:{frames[-1].name}" if frames else "outside subpixel"
    return f"{type(error).__name__} in {at}: {sign_text(str(error))}"[:MAX_SIGNATURE]


def sign_text(text: str) -> str:
    """Without names of files and without numbers."""
    line = next((line for line in text.strip().splitlines() if line.strip()), "")
    line = re.sub(r"(/[^\s:']+)+", "FILE", line)
    return re.sub(r"\d+", "N", line)[:MAX_SIGNATURE]

"""What `make demo` runs: enlarge a real photograph, and put before and after on a sheet.

The commands are those that a user would type, run in the folder .demo.
"""

import shutil
import subprocess
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
PHOTO = REPOSITORY / "src" / "subpixel" / "media" / "photo.jpg"
FOLDER = REPOSITORY / ".demo"


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    shutil.copy(PHOTO, FOLDER / "photo.jpg")
    seconds = run("upscale", "photo.jpg", "--overwrite")
    spot = ("--spot", "480", "150", "240")
    run("compare", "photo.jpg", "photo_x3.jpg", "-o", "sheet.png", "--overwrite", *spot)
    print(f"The upscaling took {seconds:.2f} s. Look at:")
    print(f"  {FOLDER / 'photo_x3.jpg'}   the photograph, three times larger")
    print(f"  {FOLDER / 'sheet.png'}      before (bicubic) and after, side by side")


def run(*arguments: str) -> float:
    """Run one subpixel command in the demo folder and return its wall time in seconds."""
    print("$ subpixel", *arguments, flush=True)
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "subpixel", *arguments], cwd=FOLDER, check=True)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()

"""Build the web page: `make page`. Fetches what it takes from npm into the package, for wheels,
and writes the page with the bundled networks into build/page.

    python scripts/build_page.py [FOLDER]
"""

import sys
from pathlib import Path

from subpixel.serve.page_files import list_page_networks, write_page
from subpixel.serve.vendor import PAGE, fill_vendor


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "build/page")
    fill_vendor(PAGE / "vendor")
    write_page(folder, list_page_networks())
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(f"{folder}: {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()

"""Check what would be published: the wheel and the source distribution hold the package, its
networks and its photograph, and neither tests nor training weights.

    python scripts/check_dist.py dist
"""

import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path, PurePosixPath

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "subpixel"
FORBIDDEN = ("tests", "weights", "benchmarks", "__pycache__")


def find_faults(names: set[str], package: str) -> list[str]:
    """What is missing from ``names``, the archive's files, or too much there.

    ``package`` is the folder of subpixel inside the archive.
    """
    missing = [
        f"{name} is missing" for name in sorted(_expected()) if f"{package}/{name}" not in names
    ]
    extra = [
        f"{name} does not belong there"
        for name in sorted(names)
        if set(PurePosixPath(name).parts) & set(FORBIDDEN)
    ]
    return missing + extra


def _expected() -> set[str]:
    """Every module of the package, and the files that it reads beside them."""
    modules = {path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py")}
    manifest = tomllib.loads((PACKAGE / "zoo" / "manifest.toml").read_text(encoding="utf-8"))
    networks = {f"zoo/{row['file']}" for row in manifest["network"]}
    templates = {path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.template")}
    files = {"py.typed", "zoo/manifest.toml", _photograph()}
    return modules | networks | templates | files | _page()


def _page() -> set[str]:
    """The web page's files, and what `make page` fetched for it."""
    page = PACKAGE / "serve" / "page"
    return {path.relative_to(PACKAGE).as_posix() for path in page.rglob("*") if path.is_file()}


def _photograph() -> str:
    (path,) = PACKAGE.rglob("photo.jpg")
    return path.relative_to(PACKAGE).as_posix()


def main() -> None:
    folder = Path(sys.argv[1])
    (wheel,), (source,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        faults = find_faults(set(archive.namelist()), "subpixel")
    with tarfile.open(source) as archive:
        names = set(archive.getnames())
    root = source.name.removesuffix(".tar.gz")
    faults += find_faults(names, f"{root}/src/subpixel")
    print("\n".join(faults) or f"{wheel.name} and {source.name} hold what they should")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()

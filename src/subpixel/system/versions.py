"""Which version of a package is installed."""


def package_version(package: str) -> str | None:
    """The installed version of a distribution, None where there is none; nothing is imported."""
    # Imported here: it takes as long as all the rest of the start-up.
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return None

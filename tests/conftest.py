"""Fixtures that several rooms' tests share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# Machines are shared and throttled: no test may fail for being slow.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Weights, pictures and benchmark sets that may not be shipped (see CONTRIBUTING)."""
    if not SHARED_DATA.is_dir():
        pytest.skip("needs the benchmark data folder ../shared/data beside the repository")
    return SHARED_DATA


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test finds what this machine's user has tuned, nor leaves anything among it."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))  # for processes of their own
        patch.setattr("platformdirs.user_cache_path", lambda *_, **__: folder / "subpixel")
        yield

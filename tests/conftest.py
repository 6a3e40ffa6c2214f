"""Fixtures that several rooms' tests share."""

import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from importlib.abc import MetaPathFinder
from pathlib import Path

import pytest
from hypothesis import settings

# Machines are shared and throttled: no test may fail for being slow.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

EXTRA_PACKAGES = {
    *("cloudpickle", "onnx_ir", "onnxscript", "safetensors", "spandrel"),
    *("spandrel_extra_arches", "torch", "torchmetrics", "torchvision"),
}
"""What an install without extras lacks and tests of training, export and verification need."""


class _Skips(MetaPathFinder):
    """Skips the test file or the test that imports one of `EXTRA_PACKAGES`."""

    def find_spec(self, fullname: str, _path: object, _target: object = None) -> None:
        if fullname.partition(".")[0] in EXTRA_PACKAGES:
            pytest.skip(f"--base-install: needs {fullname}", allow_module_level=True)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--base-install",
        action="store_true",
        help="skip what needs PyTorch, as an install without extras does (make test-lowest)",
    )
    parser.addoption(
        "--campaigns",
        action="store_true",
        help="run all cases of the long campaigns, not only the few of each that CI runs",
    )


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    _sample_tables(items)
    if not config.getoption("--campaigns"):
        left_out = [item for item in items if item.get_closest_marker("campaign")]
        items[:] = [item for item in items if not item.get_closest_marker("campaign")]
        config.hook.pytest_deselected(items=left_out)


def _sample_tables(items: list[pytest.Item]) -> None:
    """A table that is marked ``sample(every=N)``: each N-th case is fast, the others are slow; with
    ``slow=M`` each M-th of those only, and the rest is of the campaign.

    A prime number that divides no side of the table lets the sample see every value.
    """
    seen = Counter[str]()
    for item in items:
        if mark := item.get_closest_marker("sample"):
            table = item.nodeid.partition("[")[0]
            _mark_case(item, seen[table], **mark.kwargs)
            seen[table] += 1


def _mark_case(item: pytest.Item, number: int, every: int, slow: int = 1) -> None:
    if number % every:
        item.add_marker(pytest.mark.slow)
        if number % slow:
            item.add_marker(pytest.mark.campaign)


def pytest_configure(config: pytest.Config) -> None:
    _hear_signals()
    if config.getoption("--base-install"):
        sys.meta_path.insert(0, _Skips())


def _hear_signals() -> None:
    """A shell's background job is deaf to Ctrl-C, nohup's to SIGHUP; so is what they start."""
    if os.name == "posix":
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Weights, pictures and benchmark sets that may not be shipped (see CONTRIBUTING)."""
    if not SHARED_DATA.is_dir():
        pytest.skip("needs the benchmark data folder ../shared/data beside the repository")
    return SHARED_DATA


def _set_cache(patch: pytest.MonkeyPatch, folder: Path) -> None:
    patch.setenv("XDG_CACHE_HOME", str(folder))  # for processes of their own
    patch.setattr("platformdirs.user_cache_path", lambda *_, **__: folder / "subpixel")


@pytest.fixture(scope="session", autouse=True)
def _caches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """No fixture finds what this machine's user has tuned, nor leaves anything among it."""
    folder = tmp_path_factory.mktemp("caches")
    with pytest.MonkeyPatch.context() as patch:
        _set_cache(patch, folder)
        yield folder


@pytest.fixture(autouse=True)
def _own_cache(
    _caches: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """No test finds what another has tuned."""
    _set_cache(monkeypatch, _caches / sha256(request.node.nodeid.encode()).hexdigest())

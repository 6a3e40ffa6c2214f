"""``auto`` is the processor, or what was measured to be faster than it."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from software_gpu import make_gpu_environment
from subpixel.errors import NetworkError
from subpixel.network.network import Network
from subpixel.network.opening import open_network
from subpixel.network.settings import RunSettings
from subpixel.system.files.cache import cache_folder
from subpixel.upscaling.choice import device_race, pipelines
from subpixel.upscaling.choice.device_race import CONTEST_SIDES, judge_rival
from subpixel.upscaling.choice.device_verdicts import list_verdicts
from subpixel.upscaling.upscaler import Upscaler
from subpixel.zoo.manifest import find_bundled

PICTURE = np.random.default_rng(0).integers(0, 256, (12, 15, 3), dtype=np.uint8)


@dataclass
class Watch:
    """A clock that runs only while somebody enlarges a picture."""

    now: float = 0.0
    sides: list[int] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    def runner(self, seconds: Callable[[int], float]) -> Callable[[int], None]:
        def run(side: int) -> None:
            self.now += seconds(side)
            self.sides.append(side)

        return run


def judge(slow: Callable[[int], float], fast: Callable[[int], float]) -> tuple[float, Watch]:
    watch = Watch()
    return judge_rival(watch.runner(slow), watch.runner(fast), clock=watch), watch


def test_a_gpu_that_is_slow_to_start_is_judged_by_large_pictures() -> None:
    ratio, watch = judge(lambda side: side**2 * 1e-7, lambda side: 3e-3 + side**2 * 1e-8)
    assert max(watch.sides) == CONTEST_SIDES[-1]
    expected = 512**2 * 1e-7 / (3e-3 + 512**2 * 1e-8)
    assert ratio == pytest.approx(expected)


@pytest.mark.parametrize("slowness", [1.0, 8.0])
def test_a_slow_rival_ends_the_contest_soon(slowness: float) -> None:
    ratio, watch = judge(lambda side: side**2 * 1e-6, lambda side: slowness * (side / 32) ** 2)
    assert ratio == pytest.approx(32**2 * 1e-6 / slowness)
    assert watch.sides[-1] == CONTEST_SIDES[0]
    assert watch.now < 2.1 * slowness  # one run before it counts, and one that does


def test_the_first_run_of_a_size_does_not_count() -> None:
    seen: set[int] = set()

    def compiling(side: int) -> float:
        first = side not in seen
        seen.add(side)
        return 5.0 if first else side**2 * 1e-8

    ratio, _ = judge(lambda side: side**2 * 1e-7, compiling)
    assert ratio == pytest.approx(10)


@dataclass
class Devices:
    """Stands for a GPU by the processor."""

    ratio: float | Exception
    contests: int = 0
    opened: list[tuple[str, str]] = field(default_factory=list)

    def judge(self, processor: Callable[[int], object], rival: Callable[[int], object]) -> float:
        self.contests += 1
        processor(16)
        rival(16)
        if isinstance(self.ratio, Exception):
            raise self.ratio
        return self.ratio

    def open(self, file: Path, settings: RunSettings, **options: object) -> Network:
        self.opened.append((file.name, settings.device))
        network = open_network(file, replace(settings, device="cpu"), **options)  # type: ignore[arg-type]
        return replace(network, provider=settings.device)


@pytest.fixture
def devices(monkeypatch: pytest.MonkeyPatch) -> Devices:
    there = Devices(3.0)
    monkeypatch.setattr(pipelines, "racing_devices", lambda: ("webgpu",))
    monkeypatch.setattr(pipelines, "open_network", there.open)
    monkeypatch.setattr(device_race, "judge_rival", there.judge)
    return there


def test_auto_is_the_faster_device_and_that_is_found_out_once(devices: Devices) -> None:
    upscaler = Upscaler("fast", scale=2)
    assert upscaler.provider == "webgpu"
    assert upscaler.spec.precision == "fp32"
    assert devices.opened == [("fast-int8-x2.onnx", "cpu"), ("fast-x2.onnx", "webgpu")]
    assert Upscaler("fast", scale=2).provider == "webgpu"
    assert devices.contests == 1
    (stored,) = list_verdicts()
    assert stored.current
    assert (stored.verdict.rival, stored.verdict.faster, stored.verdict.ratio) == (
        "webgpu",
        True,
        3.0,
    )
    assert stored.contest.precision == "int8"


@pytest.mark.parametrize("ratio", [0.4, 1.0, NetworkError("it fails\nthere"), MemoryError("none")])
def test_auto_never_is_a_slower_device_or_one_that_fails(
    ratio: float | Exception, devices: Devices
) -> None:
    devices.ratio = ratio
    upscaler = Upscaler("fast", scale=2)
    assert (upscaler.provider, upscaler.spec.precision) == ("cpu", "int8")
    assert not list_verdicts()[0].verdict.faster
    expected = Upscaler("fast-int8", scale=2, device="cpu")(PICTURE)
    assert np.array_equal(upscaler(PICTURE), expected)


def test_deep_pictures_have_a_contest_of_their_own(devices: Devices) -> None:
    upscaler = Upscaler("fast", scale=2)
    upscaler(PICTURE.astype(np.uint16))
    assert devices.contests == 2
    assert {stored.contest.precision for stored in list_verdicts()} == {"int8", "fp32"}


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("fast", {"device": "cpu"}),
        ("fast", {"tuning": False}),
        ("fast", {"precision": "int8"}),
        ("fast-int8", {}),
        (find_bundled("fast-int8", 2).path, {}),
    ],
)
def test_who_names_the_device_or_integers_gets_the_processor(
    model: str | Path, options: dict[str, object], devices: Devices
) -> None:
    upscaler = Upscaler(model, scale=2, **options)  # type: ignore[arg-type]
    assert (upscaler.provider, devices.contests) == ("cpu", 0)


def test_a_damaged_verdict_is_not_used(devices: Devices) -> None:
    Upscaler("fast", scale=2)
    (file,) = (cache_folder() / "devices").glob("*.json")
    for content in ("{", json.dumps(json.loads(file.read_text()) | {"digest": "another"})):
        file.write_text(content)
        devices.ratio, before = 0.5, devices.contests
        assert Upscaler("fast", scale=2).provider == "cpu"
        assert devices.contests == before + 1


def run_subpixel(*words: object, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "subpixel", *map(str, words)]
    environment = {**environment, "PYTHONPATH": ":".join(filter(None, sys.path))}
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=600
    )


@pytest.mark.slow
def test_an_integer_network_goes_through_a_gpu_in_float32_and_that_is_said(tmp_path: Path) -> None:
    environment = make_gpu_environment()
    Image.fromarray(PICTURE).save(tmp_path / "photo.png")
    words = ("--model", "espcn-int8", "--device", "webgpu", "--scale", "2", "-o")
    done = run_subpixel(
        "upscale", tmp_path / "photo.png", *words, tmp_path / "o.png", environment=environment
    )
    assert done.returncode == 0, done.stderr
    assert "espcn-int8: taken as espcn, its float32 form: " in done.stderr
    larger = np.asarray(Image.open(tmp_path / "o.png")).astype(int)
    expected = Upscaler("espcn", scale=2, device="cpu", precision="fp32", tuning=False)(PICTURE)
    assert np.abs(larger - expected).max() <= 1


@pytest.mark.slow
def test_a_gpu_in_software_is_slower_and_doctor_says_so(tmp_path: Path) -> None:
    environment = make_gpu_environment() | {"XDG_CACHE_HOME": str(tmp_path)}
    code = (
        "import numpy as np; from subpixel import Upscaler; "
        "print(Upscaler('espcn', scale=2).provider)"
    )
    environment["PYTHONPATH"] = ":".join(filter(None, sys.path))
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["CPUExecutionProvider"], done.stderr
    said = json.loads(run_subpixel("doctor", "--json", environment=environment).stdout)
    (contest,) = said["contests"]
    assert contest["current"]
    assert not contest["verdict"]["faster"]
    assert 0 < contest["verdict"]["ratio"] < 1
    (webgpu,) = [device for device in said["devices"] if device["device"] == "webgpu"]
    assert webgpu["works"], webgpu
    assert webgpu["detail"].startswith("works, on CPU")

"""One picture's bytes, enlarged: limits of time and memory, and what fails beneath."""

import os
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from PIL import Image

from served import PATIENCE, GatedOp, await_true, gated_service, picture_file
from subpixel.errors import MemoryLimitError, PictureError
from subpixel.serve.http.failures import explain_http_failure
from subpixel.serve.limits import ServerLimits
from subpixel.serve.service import Service
from subpixel.serve.work.budget import ShareBudget
from subpixel.serve.work.job_queue import JobCancelledError, TimeLimitError, Watch
from subpixel.serve.work.options import UpscaleOptions, read_options

LIMITS = ServerLimits()


def begin(seconds: float = PATIENCE) -> Watch:
    watch = Watch(seconds)
    watch.begin()
    return watch


def test_time_limit_ends_the_work() -> None:
    op = GatedOp()
    op.gate.set()
    with gated_service(op, LIMITS) as service:
        with pytest.raises(TimeLimitError) as caught:
            service.pictures.upscale(picture_file(), UpscaleOptions(), begin(1e-9))
        assert op.runs == 0
    assert explain_http_failure(caught.value).status == 503


class CancelledMidway(Watch):
    """Nobody wants the work once two runs are done."""

    def report(self, done: int, total: int) -> None:
        if done == 2:
            self.cancel()
        super().report(done, total)


def test_work_ends_between_tiles() -> None:
    op = GatedOp()
    op.gate.set()
    with gated_service(op, LIMITS, tile=16) as service:
        with pytest.raises(JobCancelledError):
            service.pictures.upscale(
                picture_file(100, 100), UpscaleOptions(), CancelledMidway(PATIENCE)
            )
        assert 2 <= op.runs < 40  # of eighty-one; some were under way


def test_result_has_no_name_and_leaves_nothing(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    options = read_options({"scale": "2", "format": "png"})
    result = service.pictures.upscale(picture_file(), options, begin())
    assert list(tmp_path.iterdir()) == []
    with Image.open(result.stream) as image:
        assert image.size == (result.width, result.height) == (64, 48)
    result.close()
    with pytest.raises(PictureError):
        service.pictures.upscale(picture_file()[:99], options, begin())
    assert list(tmp_path.iterdir()) == []


def test_what_needs_more_than_a_share_takes_all(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if nothing were held before: what the process really holds goes up and down.
    monkeypatch.setattr("subpixel.serve.work.pictures.resident", lambda: 0)
    taken: list[int] = []

    class Counting(ShareBudget):
        def take(
            self, shares: int, expect_going: Callable[[], None]
        ) -> AbstractContextManager[int]:
            taken.append(shares)
            return super().take(shares, expect_going)

    small = replace(service.pictures, memory=Counting(200, 60 << 20))
    result = small.upscale(picture_file(90, 90), UpscaleOptions(), begin())
    result.close()
    assert taken == [1, 200]
    none = replace(service.pictures, memory=Counting(2, 1 << 20))
    with pytest.raises(MemoryLimitError) as caught:
        none.upscale(picture_file(90, 90), UpscaleOptions(), begin())
    assert explain_http_failure(caught.value).status == 413


class Killing(Watch):
    """Kills whoever decodes, while rows are still to come."""

    def report(self, done: int, total: int) -> None:
        for child in psutil.Process().children(recursive=True):
            with suppress(psutil.Error, ProcessLookupError):
                if child.children() == []:
                    os.kill(child.pid, signal.SIGKILL)
        super().report(done, total)


@pytest.mark.slow
def test_killed_decoder_costs_one_request() -> None:
    op, source = GatedOp(), picture_file(1000, 1000)
    op.gate.set()
    with gated_service(op, LIMITS) as service:
        with pytest.raises(PictureError, match="ended") as caught:
            service.pictures.upscale(source, UpscaleOptions(), Killing(PATIENCE))
        assert explain_http_failure(caught.value).status == 422
        for _ in range(2):
            small = picture_file()
            service.pictures.upscale(small, UpscaleOptions(), begin()).close()


def test_no_decoder_stays() -> None:
    op = GatedOp()
    op.gate.set()
    with gated_service(op, LIMITS) as service:
        few = len(psutil.Process().children(recursive=True))
        for content in (picture_file(), picture_file()[:-300], b"nothing"):
            with suppress(PictureError):
                service.pictures.upscale(content, UpscaleOptions(), begin()).close()
        await_true(lambda: len(psutil.Process().children(recursive=True)) <= few)


def test_faults_say_no_more_than_they_should() -> None:
    for error in (OSError(28, "No space left", "/secret/place"), ZeroDivisionError("secret")):
        failure = explain_http_failure(error)
        assert failure.status >= 500
        assert "secret" not in f"{failure.message} {failure.fault}"

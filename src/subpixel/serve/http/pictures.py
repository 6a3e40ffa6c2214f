"""``POST /v1/upscale``: a picture in, a larger one out, at once or with its progress before it."""

import asyncio
import base64
import hashlib
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from subpixel.serve.http.bodies import BodyReader, UploadForm, read_upload
from subpixel.serve.http.failures import explain_http_failure
from subpixel.serve.http.waiting import await_result
from subpixel.serve.service import Service
from subpixel.serve.work.inference_protocol import NO_CODING
from subpixel.serve.work.job_queue import QueuedJob
from subpixel.serve.work.options import MAX_SHOWN_OPTION, read_options
from subpixel.serve.work.pictures import PictureResult

PIECE = 1 << 16
"""Bytes of a file that are sent at a time."""

EVENT_PIECE = 3 << 14
"""Bytes in one event; a multiple of three, so that the pieces' base64 can be joined."""

PROGRESS_SECONDS = 0.1
"""Between two looks at a job's progress."""

SILENCE_SECONDS = 15.0
"""After which a comment is sent where nothing has changed."""

EVENT_STREAM = "text/event-stream"

MEDIA_TYPES = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WebP": "image/webp",
    "TIFF": "image/tiff",
    "AVIF": "image/avif",
    "HEIC": "image/heic",
    "JPEG XL": "image/jxl",
    "GIF": "image/gif",
    "BMP": "image/bmp",
    "PPM": "image/x-portable-anymap",
    "PAM": "image/x-portable-arbitrarymap",
}
"""By the format's name."""


@dataclass(frozen=True, eq=False)
class PictureRoute:
    """An ASGI application: a picture file's bytes, larger; or events, where a client accepts
    those."""

    service: Service
    bodies: BodyReader

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        _expect_plain(request.headers)
        async with self.bodies.read(request) as body:
            job = self._submit(await read_upload(request, body))
            if accepts_events(request.headers):
                await EventAnswer(job, self.service)(scope, receive, send)
                return
            result = await await_result(job, receive)
        await FileAnswer(result, self.service)(scope, receive, send)

    def _submit(self, upload: UploadForm) -> QueuedJob[PictureResult]:
        options = read_options(upload.texts)
        self.service.networks.expect_name(options.model)
        work = partial(self.service.pictures.upscale, upload.data, options)
        return self.service.queue.submit(work, self.service.limits.seconds)


def _expect_plain(headers: Headers) -> None:
    """Raises :class:`HTTPException` for a body that is packed: picture files are by themselves."""
    coding = headers.get("content-encoding", "").strip()
    if coding.lower() not in ("", NO_CODING):
        raise HTTPException(
            415,
            f"Content-Encoding is {coding[:MAX_SHOWN_OPTION]!r}; send the picture file as it is",
            {"Accept-Encoding": NO_CODING},
        )


def accepts_events(headers: Headers) -> bool:
    """Whether ``Accept`` names the type of events, and not with the weight 0, which means no."""
    for each in ",".join(headers.getlist("accept")).lower().split(","):
        kind, *parameters = (part.strip() for part in each.split(";"))
        if kind == EVENT_STREAM:
            return not any(re.fullmatch(r"q\s*=\s*0(\.0*)?", part) for part in parameters)
    return False


class FileAnswer(StreamingResponse):
    """An enlarged picture's file, which is gone afterwards whatever happens."""

    def __init__(self, result: PictureResult, service: Service) -> None:
        self._result, self._service = result, service
        headers = {
            "Content-Length": str(result.size),
            "X-Subpixel-Size": f"{result.width}x{result.height}",
            "X-Subpixel-Network": quote(result.network),
            "X-Subpixel-Losses": ", ".join(result.losses),
        }
        super().__init__(self._pieces(), headers=headers, media_type=media_type(result))

    async def _pieces(self) -> AsyncIterator[bytes]:
        while piece := await run_in_threadpool(self._result.stream.read, PIECE):
            yield piece

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it all, in the time that this may take."""
        try:
            with self._service.metrics.stage("send"):
                async with asyncio.timeout(self._service.limits.transfer_seconds):
                    await super().__call__(scope, receive, send)
        finally:
            self._result.close()


class EventAnswer(StreamingResponse):
    """A job's progress, then its file in pieces of base64, then what is known of it; as events.

    ``progress``: ``{"done": 3, "total": 12}``; ``data``: a piece of base64; ``done``: type, size,
    sha256, width, height, network, losses; ``error``: ``{"status": 422, "error": "…"}``.
    """

    def __init__(self, job: QueuedJob[PictureResult], service: Service) -> None:
        self._job, self._service = job, service
        self._error: Exception | None = None
        super().__init__(self._events(), media_type=EVENT_STREAM)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send all events; the job ends with the client, or when it takes none for too long.

        Raises what the job raised, once its event is sent: that is how the request ended.
        """

        async def send_in_time(message: Message) -> None:
            async with asyncio.timeout(self._service.limits.idle_seconds):
                await send(message)

        try:
            await super().__call__(scope, receive, send_in_time)
        finally:
            self._job.abandon()
        if self._error is not None:
            raise self._error

    async def _events(self) -> AsyncIterator[str]:
        async for event in self._progress():
            yield event
        try:
            result = self._job.future.result(0)
        except Exception as error:
            self._error, failure = error, explain_http_failure(error)
            yield _event("error", {"status": failure.status, "error": failure.message})
            return
        try:
            async for event in self._file(result):
                yield event
        finally:
            result.close()

    async def _progress(self) -> AsyncIterator[str]:
        future = asyncio.ensure_future(asyncio.wrap_future(self._job.future))
        before, silent = (-1, -1), 0.0
        future.add_done_callback(_retrieve_error)
        while not future.done():
            progress = self._job.watch.progress
            if progress != before:
                before, silent = progress, 0.0
                yield _event("progress", {"done": progress[0], "total": progress[1]})
            elif silent >= SILENCE_SECONDS:
                silent = 0.0
                yield ": waiting\n\n"
            await asyncio.wait([future], timeout=PROGRESS_SECONDS)
            silent += PROGRESS_SECONDS

    async def _file(self, result: PictureResult) -> AsyncIterator[str]:
        digest = hashlib.sha256()
        while piece := await run_in_threadpool(result.stream.read, EVENT_PIECE):
            digest.update(piece)
            yield f"event: data\ndata: {base64.b64encode(piece).decode()}\n\n"
        yield _event(
            "done",
            {
                "type": media_type(result),
                "size": result.size,
                "sha256": digest.hexdigest(),
                "width": result.width,
                "height": result.height,
                "network": result.network,
                "losses": list(result.losses),
            },
        )


def _retrieve_error(future: asyncio.Future[PictureResult]) -> None:
    """Else asyncio warns of an error that nobody looked at."""
    if not future.cancelled():
        future.exception()


def _event(name: str, value: object) -> str:
    return f"event: {name}\ndata: {json.dumps(value)}\n\n"


def media_type(result: PictureResult) -> str:
    """Of the file."""
    return MEDIA_TYPES[result.form.name]

"""Requests' bodies: within limits of size, time and memory, and what lies in a form."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from subpixel.errors import UsageError
from subpixel.serve.limits import ServerLimits
from subpixel.serve.work.budget import ByteBudget, OutOfBytesError
from subpixel.serve.work.whole_numbers import read_whole_number

MAX_FORM_FIELDS = 16
"""Texts of a form."""

STEP = 1 << 20
"""Bytes that are set aside at a time for a body that doesn't say how long it is."""


@dataclass(frozen=True, eq=False)
class BodyReader:
    """Reads bodies for all requests."""

    limits: ServerLimits
    budget: ByteBudget

    @asynccontextmanager
    async def read(self, request: Request) -> AsyncIterator[bytes]:
        """The whole body, held within the budget until the block ends.

        Raises :class:`HTTPException` for one that is too long (413), too slow (408) or ends early
        (400), and :class:`OutOfBytesError`, once all was received, where there is no room.
        """
        size = _read_length(request, self.limits.max_body)
        if size is not None and size > self.limits.max_body:
            raise self._too_long()
        hold = _Hold(self.budget)
        try:
            yield await self._receive(request, hold, size or 0)
        finally:
            hold.release()

    async def _receive(self, request: Request, hold: "_Hold", size: int) -> bytes:
        hold.grow(size)
        chunks, count = list[bytes](), 0
        try:
            async with asyncio.timeout(self.limits.transfer_seconds) as whole:
                async for chunk in self._chunks(request):
                    count += len(chunk)
                    if count > self.limits.max_body:
                        raise self._too_long()
                    hold.grow(count)
                    if hold.full:
                        chunks.clear()  # what follows is thrown away, for the answer to be heard
                    else:
                        chunks.append(chunk)
        except TimeoutError as error:
            slow = self.limits.transfer_seconds if whole.expired() else self.limits.idle_seconds
            raise HTTPException(408, f"the body did not come within {slow:g} s") from error
        if hold.full:
            raise OutOfBytesError
        return b"".join(chunks)

    async def _chunks(self, request: Request) -> AsyncIterator[bytes]:
        stream = aiter(request.stream())
        while True:
            try:
                async with asyncio.timeout(self.limits.idle_seconds):
                    chunk = await anext(stream)
            except StopAsyncIteration:
                return
            yield chunk

    def _too_long(self) -> HTTPException:
        most = self.limits.max_body
        return HTTPException(413, f"the body is too long; {most:,} bytes are allowed")


class _Hold:
    """Bytes of one body, out of the budget."""

    def __init__(self, budget: ByteBudget) -> None:
        self._budget, self._size = budget, 0
        self.full = False
        """Whether there was no room."""

    def grow(self, size: int) -> None:
        """Hold ``size`` bytes in all."""
        more = size - self._size
        if more <= 0 or self.full:
            return
        try:
            step = -(-more // STEP) * STEP if self._size else more
            self._budget.take(step)
            self._size += step
        except OutOfBytesError:
            self.full = True
            self.release()

    def release(self) -> None:
        """Hold nothing."""
        self._budget.give_back(self._size)
        self._size = 0


def _read_length(request: Request, most: int) -> int | None:
    text = request.headers.get("content-length")
    if text is None:
        return None
    length = read_whole_number(text, most)
    if length is None:
        raise HTTPException(400, "Content-Length is no number")
    return length


@dataclass(frozen=True)
class UploadForm:
    """A picture's bytes, and the texts that came with it."""

    data: bytes
    texts: Mapping[str, str]


async def read_upload(request: Request, body: bytes) -> UploadForm:
    """A picture that is the body, or the one file of a form (``multipart/form-data``).

    Raises :class:`UsageError` for a damaged form, several files or none, an empty picture, and a
    parameter twice.
    """
    pairs = list(request.query_params.multi_items())
    data = body
    if request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        data, fields = await _read_form(request, body)
        pairs += fields
    if not data:
        raise UsageError("the body is empty; send a picture file's bytes")
    texts = dict(pairs)
    if len(texts) != len(pairs):
        raise UsageError("a parameter is there twice; name each once")
    return UploadForm(data, texts)


async def _read_form(request: Request, body: bytes) -> tuple[bytes, list[tuple[str, str]]]:
    async def stream() -> AsyncGenerator[bytes, None]:
        yield body

    parser = MultiPartParser(request.headers, stream(), max_files=1, max_fields=MAX_FORM_FIELDS)
    parser.spool_max_size = len(body) + 1  # it lies in memory already: nothing goes to disk
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError, ValueError) as error:
        raise UsageError("the form can't be read; it has one file and a few texts") from error
    texts = [(name, part) for name, part in form.multi_items() if isinstance(part, str)]
    files = [part for _, part in form.multi_items() if not isinstance(part, str)]
    try:
        if len(files) != 1:
            raise UsageError(f"the form has {len(files)} files; it has one")
        return await files[0].read(), texts
    finally:
        await form.close()

"""Requests that wait for a job: it ends when the client goes."""

import asyncio

from starlette.requests import ClientDisconnect
from starlette.types import Receive

from subpixel.serve.work.job_queue import JobValue, QueuedJob


async def await_result(job: QueuedJob[JobValue], receive: Receive) -> JobValue:
    """The job's result; raises what it raises, and :class:`ClientDisconnect`, which ends it."""
    gone = asyncio.ensure_future(await_disconnect(receive))
    future = asyncio.ensure_future(asyncio.wrap_future(job.future))
    both: list[asyncio.Future[object]] = [gone, future]  # type: ignore[list-item]
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if not future.done():
            raise ClientDisconnect
        return future.result()
    except BaseException:
        job.abandon()
        raise
    finally:
        gone.cancel()
        future.cancel()  # else asyncio warns of an error that nobody looked at


async def await_disconnect(receive: Receive) -> None:
    """Return when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass

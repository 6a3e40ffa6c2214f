"""All that requests share, opened and closed together."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from subpixel.media.apart.pool import DecoderLimits, DecoderPool
from subpixel.serve.limits import ServerLimits
from subpixel.serve.logs import JsonLog
from subpixel.serve.metrics import ServerMetrics
from subpixel.serve.work.budget import ByteBudget, ShareBudget, split_memory
from subpixel.serve.work.job_queue import JobQueue
from subpixel.serve.work.networks import OpenUpscaler, ServedNetworks
from subpixel.serve.work.pictures import PictureWork
from subpixel.serve.work.tensors import TensorWork


@dataclass
class ServiceState:
    """What changes while it runs."""

    draining: bool = False
    """Whether it is to end: what was accepted is finished, and load balancers send no more."""


@dataclass(frozen=True, eq=False)
class Service:
    """What requests share."""

    networks: ServedNetworks
    pictures: PictureWork
    tensors: TensorWork
    queue: JobQueue
    bodies: ByteBudget
    limits: ServerLimits
    metrics: ServerMetrics
    log: JsonLog
    state: ServiceState = field(default_factory=ServiceState)


@contextmanager
def open_service(
    models: Sequence[str],
    open_upscaler: OpenUpscaler,
    limits: ServerLimits,
    max_memory: int | None,
    log: JsonLog,
) -> Iterator[Service]:
    """A service during the block, with ``models``, the first by default; ``max_memory`` is what
    the process may hold, in bytes (None: half of what is free), its decoders included.

    Raises what :class:`ServedNetworks`, :func:`split_memory` and
    :class:`~subpixel.media.apart.pool.DecoderPool` raise.
    """
    networks = ServedNetworks(models, open_upscaler)
    split, metrics = split_memory(max_memory, limits.jobs, limits.max_body), ServerMetrics()
    shares, queue = ShareBudget(limits.jobs, split.job), JobQueue(limits.jobs, limits.queue)
    bodies = ByteBudget(split.bodies)
    with DecoderPool(DecoderLimits(split.decoder, limits.seconds)) as decoders:
        pictures = PictureWork(networks, decoders, shares, limits, metrics)
        tensors = TensorWork(networks, shares, limits, metrics)
        metrics.watch_number("running", "Requests that are computed.", lambda: queue.running)
        metrics.watch_number("waiting", "Requests that wait.", lambda: queue.waiting)
        metrics.watch_number("body_bytes", "Bytes of bodies in memory.", lambda: bodies.held)
        try:
            yield Service(networks, pictures, tensors, queue, bodies, limits, metrics, log)
        finally:
            queue.close()

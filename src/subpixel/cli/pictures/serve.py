"""``subpixel serve``."""

import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click

from subpixel.cli.feedback import say
from subpixel.cli.options.choices import DEVICE, FILE, SIZE, THREADS
from subpixel.cli.options.completion import complete_network
from subpixel.cli.options.grouping import group_options
from subpixel.cli.options.number_types import RealNumber, WholeNumber
from subpixel.errors import UsageError
from subpixel.media.libvips import block_untrusted_operations
from subpixel.serve.http.access import (
    LOOPBACK_NAMES,
    Access,
    is_loopback,
    read_host_name,
    read_token,
)
from subpixel.serve.limits import ServerLimits, bounds_of
from subpixel.serve.logs import JsonLog
from subpixel.serve.work.networks import default_models
from subpixel.system.allocator import limit_arenas
from subpixel.upscaling.upscaler import Upscaler

_DEFAULT = ServerLimits()

ARENAS = 2
"""Of the allocator: with more, memory grows for hundreds of requests."""


MAX_NOTICE = 86_400
"""Seconds, as of the other times."""


def _take_whole(limit: str) -> WholeNumber:
    """A number that this limit admits, of which a message says the option's name."""
    bounds = bounds_of(limit)
    return WholeNumber(int(bounds.min), int(bounds.max))


def _take_real(limit: str) -> RealNumber:
    bounds = bounds_of(limit)
    return RealNumber(bounds.min, bounds.max)


class HostName(click.ParamType):  # type: ignore[type-arg]
    """A name as it stands in ``Host``, without a port."""

    name = "text"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return read_host_name(value)
        except UsageError as error:
            self.fail(str(error), param, ctx)


@dataclass(frozen=True)
class Listening:
    """Where, and who may ask."""

    host: str
    port: int
    notice: float
    token_file: Path | None
    allow_host: tuple[str, ...]

    def make_access(self) -> Access:
        """On loopback no other names than its own are answered; elsewhere all are, unless some are
        named."""
        token = None if self.token_file is None else read_token(self.token_file)
        names = self.allow_host
        if is_loopback(self.host):
            return Access(token, (*LOOPBACK_NAMES, *names))
        return Access(token, names or None)

    @property
    def warning(self) -> str | None:
        """What whoever starts it should know."""
        if is_loopback(self.host) or self.token_file is not None:
            return None
        return (
            f"warning: {self.host} can be reached from other machines, and everybody may ask: "
            "name a --token-file, or put a proxy before it that asks who they are"
        )


LISTENING = group_options(
    "listening",
    Listening,
    click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on."),
    click.option(
        "--port",
        type=WholeNumber(0, 65535),
        default=8000,
        show_default=True,
        help="0: any that is free.",
    ),
    click.option(
        "--notice",
        type=RealNumber(0, MAX_NOTICE),
        default=0.0,
        show_default=True,
        metavar="SECONDS",
        help="From SIGTERM until no more connections are taken; /health/ready says so meanwhile.",
    ),
    click.option(
        "--token-file",
        type=FILE,
        help="A file with a token that requests must have (Authorization: Bearer TOKEN).",
    ),
    click.option(
        "--allow-host",
        type=HostName(),
        multiple=True,
        metavar="NAME",
        help="A further name in the Host header, without a port, that is answered, as of a proxy. "
        "Checks of health are answered under any. [default: on loopback its own names; else all]",
    ),
)
SERVER_LIMITS = group_options(
    "limits",
    ServerLimits,
    click.option(
        "--max-body",
        type=SIZE,
        default=_DEFAULT.max_body,
        show_default="64MiB",
        help="Most bytes of a request.",
    ),
    click.option(
        "--max-pixels",
        type=_take_whole("max_pixels"),
        default=_DEFAULT.max_pixels,
        show_default=True,
        help="Most pixels of a picture, all frames together; looked at before they are decoded.",
    ),
    click.option(
        "--max-output-pixels",
        type=_take_whole("max_output_pixels"),
        default=_DEFAULT.max_output_pixels,
        show_default=True,
        help="The same of a result.",
    ),
    click.option(
        "--max-frames",
        type=_take_whole("max_frames"),
        default=_DEFAULT.max_frames,
        show_default=True,
        help="Most frames of an animation.",
    ),
    click.option(
        "--jobs",
        type=_take_whole("jobs"),
        default=_DEFAULT.jobs,
        show_default=True,
        help="Requests that are computed at a time, sharing all cores.",
    ),
    click.option(
        "--queue",
        type=_take_whole("queue"),
        default=_DEFAULT.queue,
        show_default=True,
        help="Requests that wait beside them; a further one gets 429.",
    ),
    click.option(
        "--timeout",
        "seconds",
        type=_take_real("seconds"),
        default=_DEFAULT.seconds,
        show_default=True,
        metavar="SECONDS",
        help="For the work on one request.",
    ),
    click.option(
        "--transfer-timeout",
        "transfer_seconds",
        type=_take_real("transfer_seconds"),
        default=_DEFAULT.transfer_seconds,
        show_default=True,
        metavar="SECONDS",
        help="For receiving a request, and for sending its answer.",
    ),
    click.option(
        "--idle-timeout",
        "idle_seconds",
        type=_take_real("idle_seconds"),
        default=_DEFAULT.idle_seconds,
        show_default=True,
        metavar="SECONDS",
        help="Without a byte of a request, after which it ends.",
    ),
    click.option(
        "--connections",
        type=_take_whole("connections"),
        default=_DEFAULT.connections,
        show_default=True,
        help="Open at a time.",
    ),
)


@click.command()
@LISTENING
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="NAME|FILE",
    help="A network to offer, several times for several; the first is the default. [default: auto, "
    "and all bundled ones]",
    shell_complete=complete_network,
)
@click.option(
    "--page", type=FILE, metavar="FOLDER", help="What people see at /. [default: a plain page]"
)
@SERVER_LIMITS
@click.option(
    "--max-memory",
    type=SIZE,
    help="What the process and its decoders may hold, as 2G. [default: half of what is free]",
)
@DEVICE
@THREADS
def command(
    listening: Listening,
    models: tuple[str, ...],
    page: Path | None,
    limits: ServerLimits,
    max_memory: int | None,
    device: str,
    threads: int | None,
) -> None:
    """Enlarge pictures for others, over HTTP.

    POST a picture's bytes to /v1/upscale, and its larger self comes back: the same file that
    `subpixel upscale` writes. Tensors go to /v2, the Open Inference Protocol. /openapi.json has all
    of it.

    Each picture is decoded in a process of its own, without network or files, within limits (Linux
    only). What is too much gets 413, too many at a time 429. A line of JSON for each request goes
    to standard output. SIGTERM, SIGHUP and Ctrl-C end the server once what it accepted is answered.
    """
    from subpixel.serve.app import make_app
    from subpixel.serve.server import Address, run_server
    from subpixel.serve.service import open_service

    access = listening.make_access()
    if listening.warning:
        say(listening.warning)
    block_untrusted_operations()
    limit_arenas(ARENAS)
    open_upscaler = partial(Upscaler, device=device, threads=threads)
    log = JsonLog(sys.stdout)
    with open_service(
        models or default_models(), open_upscaler, limits, max_memory, log
    ) as service:
        app = make_app(service, access, page)
        address = Address(listening.host, listening.port, listening.notice)
        run_server(app, service, address, lambda url: say(f"serving on {url} (Ctrl-C ends it)"))

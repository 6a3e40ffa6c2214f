"""Options of jobs that a cluster does."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import click

from subpixel.cli.options.grouping import group_options
from subpixel.cli.options.number_types import WholeNumber
from subpixel.cli.options.pictures.resuming import Resuming
from subpixel.cli.options.pictures.upscaling import Limits, TargetOptions
from subpixel.errors import UsageError
from subpixel.jobs.cluster.places import expect_no_urls, read_url
from subpixel.system.files.standard_input import PIPE


@dataclass(frozen=True)
class ClusterOptions:
    """Who does the work."""

    engine: Literal["local", "ray"]
    address: str | None
    actors: int | None

    @property
    def is_used(self) -> bool:
        """Whether a cluster does it."""
        return self.engine != "local"

    def expect_places(self, inputs: Sequence[Path], targets: TargetOptions) -> None:
        """Raise :class:`UsageError` for places that the engine doesn't reach."""
        output = targets.output
        if not self.is_used:
            if self.address is not None or self.actors is not None:
                option = "--address" if self.address is not None else "--actors"
                raise UsageError(f"{option} is for --engine ray; name that, or leave it out")
            expect_no_urls([*inputs, *filter(None, [output])])
            return
        if len(inputs) != 1 or output is None or PIPE in (*inputs, output):
            raise UsageError(
                "--engine ray takes one folder or URL of pictures, and another for their results: "
                "subpixel upscale photos -o larger --engine ray"
            )
        url = read_url(output)
        if url is not None and url.startswith(("http://", "https://")):
            raise UsageError(f"{url} is for reading; results go to a folder, s3://, gs:// or az://")
        if url is not None and targets.keep_date:
            raise UsageError("--keep-date is for folders: objects have the date of their writing")

    def expect_options(self, resuming: Resuming, limits: Limits) -> None:
        """Raise :class:`UsageError` for options that mean nothing on a cluster."""
        names = {
            "--shard": resuming.shard is not None,
            "--watch": resuming.watch,
            "--untrusted": limits.untrusted,
        }
        for name, is_set in names.items():
            if is_set and self.is_used:
                raise UsageError(
                    f"{name} and --engine ray don't go together; leave one of them out"
                )


CLUSTER = group_options(
    "cluster",
    ClusterOptions,
    click.option(
        "--engine",
        type=click.Choice(["local", "ray"]),
        default="local",
        show_default=True,
        help="Who works: this process, or a cluster of Ray, which takes one folder or URL (s3://, "
        "gs://, az://; http:// for reading) and -o another.",
    ),
    click.option(
        "--address",
        metavar="HOST:PORT",
        help="Of the cluster. [default: RAY_ADDRESS, else Ray is started here for this job]",
    ),
    click.option(
        "--actors",
        type=WholeNumber(min=1),
        help="Processes of the cluster that work, each with a network and --threads threads (here "
        "1 by default). [default: as many as there are cores for]",
    ),
)

"""What stands between a network and a file: rows in, rows out."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from subpixel.media.picture import Header
from subpixel.runtime.op import Samples


class RowStage(Protocol):
    """One step that pictures pass by rows: another size, other colours, a film's encoder.

    A stage holds no picture between calls, so threads may share it.
    """

    def header(self, header: Header) -> Header:
        """What comes out of a picture like this; raises
        :class:`~subpixel.errors.UsageError` where it can't take one."""
        ...

    def memory(self, header: Header) -> int:
        """About how many bytes a picture like this takes on its way, beside the rows that come in
        and go out."""
        ...

    def run(self, header: Header, chunks: Iterable[Samples]) -> Iterator[Samples]:
        """Rows of pictures of ``header``, ``(h, W, C)`` of its dtype, to rows of what
        :meth:`header` says.

        They come and go from top to bottom, frame after frame, no two frames in one chunk. Frames
        may be without end: none is held for longer than its own rows take.
        """
        ...


def chain_headers(stages: Sequence[RowStage], header: Header) -> tuple[Header, ...]:
    """What comes into each stage, and last what comes out of them all."""
    headers = [header]
    for stage in stages:
        headers.append(stage.header(headers[-1]))
    return tuple(headers)


def stages_memory(stages: Sequence[RowStage], header: Header) -> int:
    """About how many bytes a picture like this takes on its way through all stages."""
    headers = chain_headers(stages, header)
    return sum(stage.memory(each) for stage, each in zip(stages, headers, strict=False))


def run_stages(
    stages: Sequence[RowStage], header: Header, chunks: Iterable[Samples]
) -> Iterator[Samples]:
    """The rows through all stages, the first of them first."""
    for stage, before in zip(stages, chain_headers(stages, header), strict=False):
        chunks = stage.run(before, chunks)
    return iter(chunks)

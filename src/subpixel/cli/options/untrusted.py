"""``--untrusted``: pictures that may be made to do harm."""

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from subpixel.media.apart.pool import DecoderPool

UNTRUSTED = click.option(
    "--untrusted",
    is_flag=True,
    help="Decode each picture in a process of its own, without network or other files, within "
    "limits of memory and time. Linux only.",
)


def open_decoders(
    untrusted: bool, max_memory: int | None = None
) -> "AbstractContextManager[DecoderPool | None]":
    """Who decodes apart, if anybody; ``max_memory`` is what each decoder may take. Raises
    :class:`~subpixel.errors.ProviderError` where there is no Linux."""
    if not untrusted:
        return nullcontext()
    from subpixel.media.apart.pool import DecoderLimits, DecoderPool
    from subpixel.media.libvips import block_untrusted_operations

    block_untrusted_operations()
    return DecoderPool(DecoderLimits(max_memory))

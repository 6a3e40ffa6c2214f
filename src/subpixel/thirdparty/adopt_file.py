"""Conversion of a third-party file."""

from pathlib import Path

from subpixel.convention import UNKNOWN_CONVENTION, Convention
from subpixel.errors import NetworkError, UsageError
from subpixel.graph.metadata import load_model, read_spec
from subpixel.system.atomic import write_bytes
from subpixel.thirdparty.adopt import Adoption, adopt_model


def adopt_file(
    file: Path, out: Path, convention: Convention = UNKNOWN_CONVENTION, *, overwrite: bool = False
) -> Adoption:
    """:func:`~subpixel.thirdparty.adopt.adopt_model` the network in ``file``, and write it as
    ``out``.

    Raises the errors of both, :class:`NetworkError` for a file that states its facts already, and
    what :func:`~subpixel.system.atomic.write_bytes` raises.
    """
    model = load_model(file)
    try:
        if read_spec(model) is not None:
            raise NetworkError("states its facts already; there is nothing to adopt")
        adoption = adopt_model(model, file.stem, convention)
    except (NetworkError, UsageError) as error:
        raise type(error)(f"{file}: {error}") from error
    write_bytes(out, adoption.model.SerializeToString(), overwrite=overwrite)
    return adoption

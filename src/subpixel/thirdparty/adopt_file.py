"""Conversion of a third-party file."""

from pathlib import Path

from subpixel.convention import UNKNOWN_CONVENTION, Convention
from subpixel.errors import NetworkError, UsageError
from subpixel.graph.metadata import load_model, read_spec, with_spec
from subpixel.system.files.atomic import write_bytes
from subpixel.system.files.targets import expect_onnx_target
from subpixel.thirdparty.adopt import Adoption
from subpixel.thirdparty.apart import identify_apart


def adopt_file(
    file: Path, out: Path, convention: Convention = UNKNOWN_CONVENTION, *, overwrite: bool = False
) -> Adoption:
    """Convert the network in ``file``, in a process of its own, and write it as ``out``.

    Raises what :func:`~subpixel.thirdparty.apart.identify_apart` and
    :func:`~subpixel.system.files.atomic.write_bytes` raise, and :class:`NetworkError` for a file
    that states its facts already.
    """
    expect_onnx_target(out, [file], overwrite=overwrite)
    model = load_model(file)
    try:
        if read_spec(model) is not None:
            raise NetworkError("states its facts already; there is nothing to adopt")
        verdict = identify_apart(file, file.stem, convention)
    except (NetworkError, UsageError) as error:
        raise type(error)(f"{file}: {error}") from error
    ordinary = load_model(verdict.content) if verdict.content else with_spec(model, verdict.spec)
    adoption = Adoption(ordinary, verdict.spec, verdict.remark, verdict.content is None)
    write_bytes(out, adoption.model.SerializeToString(), overwrite=overwrite)
    return adoption

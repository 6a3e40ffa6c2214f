"""What `verify` and `bisect` share: the reference, pictures and sizes of one's own, tolerances."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

import click

from subpixel.cli.options.checkpoints import make_checkpoint_file
from subpixel.cli.options.choices import FILE
from subpixel.cli.options.completion import complete_network
from subpixel.cli.options.number_types import RealNumber, WholeNumber
from subpixel.cli.options.sides import Sides
from subpixel.errors import UsageError

if TYPE_CHECKING:
    from subpixel.parity.compare import Tolerance
    from subpixel.parity.side import Reference

ANY_CODES = 255


def refuse_nan(
    _context: click.Context, _option: click.Parameter, value: float | None
) -> float | None:
    """NaN, which compares with nothing, would let everything pass."""
    if value is not None and math.isnan(value):
        raise click.BadParameter("nan is no number of dB; write it as 45")
    return value


AGAINST = click.option(
    "--against",
    type=FILE,
    shell_complete=complete_network,
    help="A checkpoint, an archive of TorchScript, another ONNX file, or a network's name.",
)
MODULE = click.option(
    "--module",
    metavar="PACKAGE.MODULE:FACTORY",
    help="Instead of --against: run this function of yours, which returns a PyTorch module; or "
    "a module itself.",
)
PICTURES = click.option(
    "--picture",
    "pictures",
    type=FILE,
    multiple=True,
    help="A picture of your own to compare on; may be repeated.",
)
SIZES_OPTION = click.option(
    "--size",
    "sizes",
    type=Sides("height x width", "123x457", 6),
    multiple=True,
    metavar="HEIGHTxWIDTH",
    help="A size to compare at, as 123x457; may be repeated.",
)
MIN_PSNR = click.option(
    "--min-psnr",
    type=RealNumber(min=0),
    callback=refuse_nan,
    metavar="DB",
    help="Judge by pictures: at least so many dB between the two.",
)
MAX_CODES = click.option(
    "--max-codes",
    type=WholeNumber(0, ANY_CODES),
    metavar="N",
    help="Judge by pictures: no 8-bit code value may differ by more.",
)


def locate_sides(model: Path, against: Path | None, scale: int | None) -> tuple[Path, Path | None]:
    """The files of the two that are compared, each named itself or by a network's name, of which
    ``scale`` chooses.

    Raises :class:`UsageError` for a name that isn't there, and a scale where none is named.
    """
    from subpixel.network.locate import NETWORK_SUFFIXES, OTHER_SUFFIXES, locate

    file, reference = locate(model, scale), against
    if against and against.suffix.lower() not in (*NETWORK_SUFFIXES, *OTHER_SUFFIXES):
        reference = locate(against, scale)
    if scale is not None and (file, reference) == (model, against):
        raise UsageError("--scale chooses among the files of a bundled network; none is named")
    return file, reference


def load_reference(
    against: Path | None,
    module: str | None,
    weights: str | None,
    settings: tuple[str, ...],
    extra_architectures: bool = False,
) -> "Reference":
    """The file, with what ``--weights`` and ``--setting`` say of it, or what the factory returns.

    Raises :class:`UsageError` unless one of the two is named, and for settings of a module.
    """
    if against is not None and module is None:
        return make_checkpoint_file(against, weights, settings, extra_architectures)
    if weights or settings:
        raise UsageError("--weights and --setting are for checkpoints; a module says it itself")
    if module is None or against is not None:
        raise UsageError("name the reference: --against FILE or --module PACKAGE.MODULE:FACTORY")
    from subpixel.nets.factory import load_factory

    return load_factory(module)


def make_tolerance(
    min_psnr: float | None,
    max_codes: int | None,
    rtol: float | None = None,
    atol: float | None = None,
) -> "Tolerance | None":
    """What was asked for; None where nothing was, for the default of the file's precision.

    Judged by dB or code values, values need not be close; with ``rtol`` or ``atol`` they must be.
    All that is asked for must hold, and no more: judged by dB, any code values pass.
    """
    from subpixel.parity.compare import Tolerance

    if min_psnr is max_codes is rtol is atol is None:
        return None
    usual = Tolerance()
    codes = usual.max_codes if min_psnr is None else ANY_CODES
    codes = codes if max_codes is None else max_codes
    if rtol is atol is None:
        return Tolerance(rtol=None, max_codes=codes, min_psnr=min_psnr)
    return Tolerance(
        rtol=usual.rtol if rtol is None else rtol,
        atol=usual.atol if atol is None else atol,
        max_codes=codes,
        min_psnr=min_psnr,
    )

"""The smallest picture on which a file and its reference differ."""

from collections.abc import Sequence
from itertools import groupby

import numpy as np

from subpixel.errors import NetworkError
from subpixel.parity.bisect.locate import max_difference
from subpixel.parity.cases import Case, pixels
from subpixel.parity.compare import CaseResult, OnProgress, Tolerance, compare
from subpixel.parity.side import Side, grid_of


def smallest_failure(
    bad: Side,
    reference: Side,
    tolerance: Tolerance,
    report: OnProgress,
    own: Sequence[Case] = (),
) -> CaseResult | None:
    """The worst comparison at the smallest size where any fails; None where all pass.

    The cases are those of the grid, or ``own`` where there are any. Raises
    :class:`~subpixel.errors.NetworkError` where all that fails is the reference itself.
    """
    cases = sorted(own or grid_of(bad, reference).cases, key=lambda case: case.pixels)
    unsound: CaseResult | None = None
    for _, same in groupby(cases, key=lambda case: (case.batch, case.height, case.width)):
        batch = list(same)
        report(f"comparing {batch[0].name}", cases.index(batch[0]), len(cases))
        found = compare(
            reference.op,
            bad.op,
            batch,
            bad.spec.channels,
            tolerance,
            exact=reference.exact,
            local=bad.spec.halo is not None,
        )
        sound = [result for result in found.failures if _reference_runs(reference, result.case)]
        if sound:
            return max(sound, key=max_difference)
        unsound = unsound or next(iter(found.failures), None)
    if unsound:
        raise NetworkError(
            f"{reference.name} itself fails ({unsound.case.name}: {unsound.reason}); nothing can "
            "be held against it"
        )
    return None


def _reference_runs(reference: Side, case: Case) -> bool:
    try:
        picture = reference.op(pixels(case, reference.spec.channels))
    except Exception:  # any network's any failure at this shape
        return False
    return bool(np.isfinite(picture).all())

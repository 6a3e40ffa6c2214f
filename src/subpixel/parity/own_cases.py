"""Pictures and sizes of the user's own as cases of a comparison."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from subpixel.errors import UsageError
from subpixel.media.image_file import open_picture
from subpixel.parity.cases import WORTH, Case
from subpixel.parity.discriminating_sizes import Size
from subpixel.spec import ModelSpec
from subpixel.upscaling.tiles.tiling import working_size


def own_cases(pictures: Sequence[Path], sizes: Sequence[Size], *specs: ModelSpec) -> list[Case]:
    """Each picture by itself, and every content of the grid at each of ``sizes``.

    Each is one picture, or as many as the fixed batch of the networks in ``specs``. Raises
    :class:`~subpixel.errors.UsageError` for a size that one of them doesn't take, and
    :class:`~subpixel.errors.PictureError` for a file that is no picture.
    """
    batch = next((spec.fixed_batch for spec in specs if spec.fixed_batch), 1)
    cases = [*_of_pictures(pictures, batch), *_of_sizes(sizes, batch)]
    for case in cases:
        for spec in specs:
            _expect_taken(case, spec)
    return cases


def _of_pictures(pictures: Sequence[Path], batch: int) -> Iterator[Case]:
    for file in pictures:
        header = open_picture(file).header
        yield Case(batch, header.height, header.width, "picture", source=file)


def _of_sizes(sizes: Sequence[Size], batch: int) -> Iterator[Case]:
    for height, width in sizes:
        if min(height, width) < 1:
            raise UsageError(f"the size is {height}×{width}; each side is at least 1 pixel")
        for content in WORTH:
            yield Case(batch, height, width, content)


def _expect_taken(case: Case, spec: ModelSpec) -> None:
    """Refuse what would have to be cropped or padded first: it would be another picture."""
    size = case.height, case.width
    rule = _rule(size, spec)
    if rule:
        what = case.source or "the size"
        raise UsageError(f"{what} is {case.height}×{case.width}; {spec.name} takes {rule}")


def _rule(size: Size, spec: ModelSpec) -> str | None:
    """What a network takes instead of a size; None where it takes it."""
    if spec.fixed_size and spec.fixed_size != size:
        return "{}×{} alone".format(*spec.fixed_size)
    if spec.size_maximum and max(size) > spec.size_maximum:
        return f"sides of up to {spec.size_maximum}"
    nearest = working_size(*size, spec.size_multiple, spec.size_minimum, spec.square)
    if spec.pads or nearest == size:
        return None
    square = ", squares alone" if spec.square else ""
    return (
        f"multiples of {spec.size_multiple} from {spec.size_minimum} on{square}: "
        "{}×{} is the next".format(*nearest)
    )

"""What of a folder is trained on, what is held out, and what is left out; said before the work."""

from dataclasses import dataclass
from pathlib import Path

from subpixel.measure.benchmark_set import describe_files, picture_sides
from subpixel.train.data.photographs import group_tiles, list_others, split_pictures


@dataclass(frozen=True)
class Survey:
    """The files of a folder by what becomes of them."""

    training: tuple[Path, ...]
    held_out: tuple[Path, ...]
    too_small: tuple[Path, ...]
    """For a crop; would be trained on otherwise."""
    others: tuple[Path, ...]
    """Files that are no pictures."""
    least: int
    """Pixels that a picture must have on each side to be trained on."""

    def __str__(self) -> str:
        """In a line."""
        parts = [
            f"training on {_count_photographs(self.training)}",
            f"{_count_photographs(self.held_out)} held out",
        ]
        below = f"with a side of less than {self.least} pixels"
        left_out = [
            describe_files(self.too_small, f"picture {below}", f"pictures {below}"),
            describe_files(self.others, "file that is no picture", "files that are no pictures"),
        ]
        if any(left_out):
            parts.append("left out: " + ", ".join(filter(None, left_out)))
        return "; ".join(parts)


def survey_photographs(folder: Path, least: int) -> Survey:
    """What training by crops of ``least`` pixels uses of ``folder`` and those below it.

    Raises what :func:`~subpixel.train.data.photographs.split_pictures` raises, and the errors of
    pictures whose headers can't be read.
    """
    files, held_out = split_pictures(folder)
    small = {file: min(picture_sides(file)) < least for file in files}
    training, too_small = (tuple(f for f in files if small[f] is it) for it in (False, True))
    return Survey(training, tuple(held_out), too_small, tuple(list_others(folder)), least)


def _count_photographs(files: tuple[Path, ...]) -> str:
    """Of which some may be in several tiles."""
    count = len(group_tiles(files))
    text = f"{count:,} photograph{'' if count == 1 else 's'}"
    return text if count == len(files) else f"{text} in {len(files):,} tiles"

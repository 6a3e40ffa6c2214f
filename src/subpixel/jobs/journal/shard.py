"""Several machines share a job by a rule, without speaking to each other."""

import hashlib
from dataclasses import dataclass

from subpixel.errors import UsageError


@dataclass(frozen=True)
class Shard:
    """Part ``index`` of ``count`` parts of a job, 1 … ``count``.

    A unit's part follows from its key alone: new units move no others. Raises
    :class:`UsageError` for a part that isn't there.
    """

    index: int = 1
    count: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.index <= self.count:
            raise UsageError(
                f"{self.index}/{self.count} is no part of a job; of 4 machines the first takes "
                "1/4, the last 4/4"
            )

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    def takes(self, key: str) -> bool:
        """Whether a unit is of this part."""
        return hash_number(key) % self.count == self.index - 1


def hash_number(key: str) -> int:
    """A number of 64 bits that a unit's key has everywhere."""
    data = key.encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.sha256(data).digest()[:8], "big")

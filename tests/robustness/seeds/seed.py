"""A file that is right, and that cases are made of."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Seed:
    """A small valid file."""

    name: str
    """With the suffix that says its format."""
    data: bytes = field(repr=False)

    def make(self) -> "Seed":
        """Itself; files of the corpus are made one at a time."""
        return self

    @property
    def suffix(self) -> str:
        return self.name[self.name.rindex(".") :]

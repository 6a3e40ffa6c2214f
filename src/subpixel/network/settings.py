"""How a network is run: asked for once, completed once, handed on whole."""

from dataclasses import dataclass, replace
from typing import Annotated

from subpixel.arguments import expect_integer
from subpixel.runtime.opening import resolve_device
from subpixel.spec import MAX_FACT, Precision
from subpixel.strict_json import Within

MAX_FLAT_DIFFERENCE = 1.0
"""Code values of 8 bits by which interpolated flat areas may differ from the network's, where
``adaptive`` is on and no other bound is named."""

MAX_STORED_THREADS, MAX_STORED_BATCH = 4096, 64
"""The most that settings in the user's cache may say; the caller may ask for more."""


@dataclass(frozen=True)
class RunSettings:
    """What the caller asks for; None, or ``"auto"``, leaves the choice open.

    What ``subpixel tune`` found fills in what is open, in
    :meth:`~subpixel.network.tuning.Tuning.choose`, and :meth:`resolve` the rest. Raises
    :class:`~subpixel.errors.UsageError` for numbers that a field can't be.
    """

    device: str = "auto"
    """``"auto"``, or a key of :data:`~subpixel.runtime.devices.DEVICES`."""
    precision: Precision | None = None
    """What the network computes in; None: what its file says. ``"int8"`` is a file of its own."""
    tile: Annotated[int | None, Within(0, MAX_FACT)] = None
    """Side of a tile in input pixels, halo included; None: 512; 0: the whole picture at once."""
    threads: Annotated[int | None, Within(1, MAX_STORED_THREADS)] = None
    """Threads of the processor; None: one per physical core."""
    batch: Annotated[int | None, Within(1, MAX_STORED_BATCH)] = None
    """Tiles side by side that go through the network in one run; None: 1."""
    adaptive: bool | None = None
    """Whether flat areas are interpolated; None: no."""
    cuda_graphs: bool | None = None
    """Whether the work of a shape is recorded once and replayed, on CUDA; None: no."""

    def __post_init__(self) -> None:
        least = (("tile", self.tile, 0), ("threads", self.threads, 1), ("batch", self.batch, 1))
        for name, value, low in least:
            if value is not None:
                expect_integer(name, value, low)

    def resolve(self) -> "RunSettings":
        """The same with every default filled in: the device by name, a batch, yes or no.

        ``precision``, ``tile`` and ``threads`` stay None where the file, the network or the
        processor decides.
        """
        return replace(
            self,
            device=resolve_device(self.device),
            batch=1 if self.batch is None else self.batch,
            adaptive=bool(self.adaptive),
            cuda_graphs=bool(self.cuda_graphs),
        )

    def accepts(self, other: "RunSettings") -> bool:
        """Whether ``other``, which is resolved, has the device and precision that are asked for
        here, and is not adaptive where that is refused."""
        return (
            self.device in ("auto", other.device)
            and self.precision in (None, other.precision)
            and self.cuda_graphs in (None, other.cuda_graphs)
            and not (other.adaptive and self.adaptive is False)
        )

    def complete(self, other: "RunSettings") -> "RunSettings":
        """``other``, which is resolved and accepted, with the tile, threads, batch and ``adaptive``
        that are asked for here. A tile that is asked for takes no batch from ``other``: batches
        were measured in tiles of another size."""
        batch = other.batch if self.tile is None else 1
        return replace(
            other,
            tile=other.tile if self.tile is None else self.tile,
            threads=other.threads if self.threads is None else self.threads,
            batch=batch if self.batch is None else self.batch,
            adaptive=other.adaptive if self.adaptive is None else self.adaptive,
        )

    @property
    def session(self) -> "RunSettings":
        """Equal for settings that can share one open network: without what concerns the tiles
        alone, but for whether there are any."""
        return replace(self, tile=0 if self.tile == 0 else None, batch=1, adaptive=False)

    @property
    def label(self) -> str:
        """For people, in one line: ``"cpu, int8, tile 256"``."""
        parts = [self.device, self.precision or "", "CUDA graphs" if self.cuda_graphs else ""]
        parts += ["" if self.tile is None else f"tile {self.tile}"]
        parts += ["" if self.batch in (None, 1) else f"batch {self.batch}"]
        parts += ["" if self.threads is None else f"{self.threads} threads"]
        parts += ["adaptive" if self.adaptive else ""]
        return ", ".join(part for part in parts if part)


DEFAULT_SETTINGS = RunSettings()
"""Nothing is asked for."""

"""A network ready to run."""

from dataclasses import dataclass
from pathlib import Path

from subpixel.runtime.op import CodeOp, NetOp
from subpixel.spec import ModelSpec


@dataclass(frozen=True)
class Network:
    """A network ready to run: an op on RGB pixels, its facts, and where it runs."""

    op: NetOp
    spec: ModelSpec
    provider: str
    """What really runs it: ONNX Runtime's name of the execution provider, or OpenVINO."""
    workers: int = 1
    """How many tiles run side by side, each on one core; 1: one after the other, each on all."""
    source: Path | bytes | None = None
    """Where its graph can be looked up: a file, or its content."""
    codes: CodeOp | None = None
    """The same network on 8-bit pictures as they are, where it takes them."""
    remark: str | None = None
    """What was decided about a third-party file, or that another form than the one named is used,
    in one line."""


def network_bytes_per_pixel(network: Network) -> float | None:
    """What the network holds per pixel of a tile, as its graph or a run of it says; else None."""
    if network.source is None:
        return None
    # Only pictures that are large for the memory there is pay for importing onnx.
    from subpixel.graph.geometry import footprint
    from subpixel.graph.metadata import load_model

    model = load_model(network.source)
    size = footprint.count_bytes_per_pixel(model)
    return footprint.measure_bytes_per_pixel(model) if size is None else size

"""A network's name or file → a NetOp on RGB pixels, and its facts.

A bundled network and a file that subpixel exported, as those of the gallery are, say what they
are. A third-party ONNX file is adopted (:mod:`subpixel.thirdparty`): it is run at a few sizes and
on photographs, what it does there is what it is, and what it does otherwise than ours is wrapped
into its graph. A luma network is wrapped into an RGB network inside the graph
(:mod:`subpixel.graph.passes.wrap`).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from subpixel.convention import UNKNOWN_CONVENTION, Convention
from subpixel.errors import NetworkError, UsageError
from subpixel.graph.ort_format import HEAD, is_ort
from subpixel.imaging.resample import BICUBIC_HALO
from subpixel.runtime.devices import Arithmetic
from subpixel.runtime.op import CodeOp, NetOp, Probeable
from subpixel.runtime.opening import Opened, chosen, open_session
from subpixel.runtime.sizes import MULTIPLES, odd_multiples
from subpixel.spec import Colour, ModelSpec, spec_from_metadata
from subpixel.system.processors import cores
from subpixel.zoo import manifest
from subpixel.zoo.gallery import store

DEFAULT_SCALE = 3

ON_CORES = ("cpu", "openvino")
"""Devices that compute on the processor's cores, where tiles can have one each."""

MOST_HALO = 32
"""Halo up to which tiles run side by side: cutting costs less than it saves. A core that has a tile
to itself, from samples to samples, need not wait for others at the end of every layer."""

SUFFIXES = (".onnx", ".ort")
"""Of network files."""


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
    """What was decided about a third-party file, in one line."""


@dataclass(frozen=True)
class Identified:
    """A network file that was opened, and what it is."""

    session: Opened
    spec: ModelSpec
    source: Path | bytes
    """What the session was opened from: the file, or what it was adopted as."""
    declared: bool
    """Whether the file itself states its facts."""
    remark: str | None = None
    """What was decided about a third-party file, in one line."""


def open_network(
    model: str | Path = manifest.DEFAULT_NETWORK,
    *,
    scale: int | None = None,
    device: str = "auto",
    threads: int | None = None,
    side_by_side: bool = True,
    arithmetic: Arithmetic = "fp32",
    captured: bool = False,
    convention: Convention = UNKNOWN_CONVENTION,
) -> Network:
    """Open a bundled network or one of the gallery by name, or an ONNX file by path.

    ``scale`` chooses among a bundled network's scales (default 3); for all others it must be the
    file's own. ``threads`` None means one per physical core; where the network is local they work
    on so many tiles ``side_by_side``, unless that is False. ``arithmetic`` is what floating point
    is computed in, where ``device`` leaves the choice; ``captured`` replays CUDA graphs.
    ``convention`` is what is known of a third-party file; the rest is found out by running it.

    Raises :class:`UsageError` for a name or scale that isn't there, :class:`NetworkError` for a
    file that is no super-resolution network, and :class:`~subpixel.errors.ProviderError` for a
    device that can't be had.
    """
    file, device = locate(model, scale), chosen(device)
    side_by_side = side_by_side and device in ON_CORES
    opened = partial(open_session, device=device, arithmetic=arithmetic, captured=captured)
    shared = partial(opened, threads=1, runs=threads or cores())
    alone = partial(opened, threads=threads)
    identified = identify(file, shared if side_by_side else alone, convention)
    session, spec, source = identified.session, identified.spec, identified.source
    if scale is not None and spec.scale != scale:
        raise UsageError(f"{model} enlarges by {spec.scale}, not by {scale}; leave out the scale")
    workers = _workers(spec, threads) if side_by_side else 1
    if spec.interface == "luma":
        session = (alone if workers == 1 else shared)(_on_rgb(source, spec.scale))
        halo = None if spec.halo is None else max(spec.halo, BICUBIC_HALO)
        spec = replace(spec, interface="rgb", halo=halo)
    elif side_by_side and workers == 1:
        session = alone(source)
    codes = session.codes if session.takes_codes else None
    graph = None if _is_ort(file) else source
    return Network(session, spec, session.provider, workers, graph, codes, identified.remark)


def bytes_per_pixel(network: Network) -> float | None:
    """What the network holds per pixel of a tile, as its graph or a run of it says; else None."""
    if network.source is None:
        return None
    # Only pictures that are large for the memory there is pay for importing onnx.
    from subpixel.graph.geometry.footprint import count_bytes_per_pixel as counted
    from subpixel.graph.geometry.footprint import measure_bytes_per_pixel as measured
    from subpixel.graph.metadata import load_model

    model = load_model(network.source)
    found = counted(model)
    return measured(model) if found is None else found


def _workers(spec: ModelSpec, threads: int | None) -> int:
    local = spec.halo is not None and spec.halo <= MOST_HALO
    return (threads or cores()) if local else 1


def describe(file: Path) -> tuple[ModelSpec, bool]:
    """A file's facts as they stand, and whether the file itself states them (else: probed).

    Raises :class:`NetworkError` for a third-party file that isn't as ours are.
    """
    identified = identify(file, open_session, UNKNOWN_CONVENTION)
    if identified.source != file:
        raise NetworkError(
            f"{file}: it is {identified.remark}; make it an ordinary file first: subpixel adopt"
        )
    return identified.spec, identified.declared


def locate(model: str | Path, scale: int | None) -> Path:
    """The ONNX file itself, or the file of a bundled network or of one of the gallery, verified.

    A bundled network takes precedence over one of the gallery that has its name. Raises
    :class:`UsageError` where there is neither, and :class:`NetworkError` for a damaged one.
    """
    file, name = Path(model), str(model)
    if file.suffix.lower() in SUFFIXES or file.is_file():
        return file
    if name in manifest.network_names():
        row = manifest.find_bundled(name, DEFAULT_SCALE if scale is None else scale)
        return manifest.verify_bundled(row)
    entry = store.find_entry(name)
    if entry is None:
        raise UsageError(_unknown(name))
    return store.verify_entry(entry)


def _unknown(name: str) -> str:
    near = store.suggestions(name)
    hint = f"; did you mean {', '.join(near)}?" if near else ""
    return (
        f"model {name!r} is neither a bundled network ({', '.join(manifest.network_names())}) nor "
        f"one that subpixel models get has fetched, nor an existing .onnx file{hint}"
    )


def identify(
    file: Path, opened: Callable[[Path | bytes], Opened], convention: Convention
) -> Identified:
    """Open a network file, by its own facts, or as what running it shows it to be."""
    if not file.is_file():
        raise NetworkError(f"{file}: there is no such file")
    try:
        session, refusal = _open(file, opened)
        declared = spec_from_metadata(session.metadata) if session else None
        if session and declared:
            _expect_unsettled(convention)
            return Identified(session, declared, file, declared=True)
        if _is_ort(file):
            return _ort(file, session, refusal, convention)
        return _adopted(file, opened, session, refusal, convention)
    except (NetworkError, UsageError) as error:
        if str(error).startswith(str(file)):
            raise
        raise type(error)(f"{file}: {error}") from error


def _open(
    file: Path, opened: Callable[[Path | bytes], Opened]
) -> tuple[Opened | None, NetworkError | None]:
    """A session, or why it can't be had: many third-party files take another one to run."""
    try:
        return opened(file), None
    except NetworkError as error:
        return None, error


def _expect_unsettled(convention: Convention) -> None:
    if convention != UNKNOWN_CONVENTION:
        raise UsageError(
            "this file states its own facts; --input-range, --channel-order, --layout and "
            "--set-input are for third-party files"
        )


def _is_ort(file: Path) -> bool:
    with file.open("rb") as opened:
        return is_ort(opened.read(HEAD))


def _ort(
    file: Path, session: Opened | None, refusal: NetworkError | None, convention: Convention
) -> Identified:
    from subpixel.thirdparty.op import probe_ordinary

    if session is None or session.takes_codes:
        raise refusal or NetworkError(
            "it takes uint8, and a file of ONNX Runtime's own format can't be rewritten; adopt the "
            "ONNX file that it was made from (subpixel adopt)"
        )
    spec = probe_ordinary(session, file.stem, convention)
    return Identified(
        session, spec, file, declared=False, remark="float NCHW, values in 0..1, as it is"
    )


def _adopted(
    file: Path,
    opened: Callable[[Path | bytes], Opened],
    session: Opened | None,
    refusal: NetworkError | None,
    convention: Convention,
) -> Identified:
    # Only third-party and bare luma networks pay for importing onnx.
    from subpixel.graph.metadata import load_model, read_spec
    from subpixel.thirdparty.adopt import adopt_model

    model = load_model(file)
    if refusal is not None and read_spec(model) is not None:  # a file of ours
        raise refusal
    adopted = adopt_model(model, file.stem, convention)
    if session is not None and adopted.unchanged:
        return Identified(session, adopted.spec, file, declared=False, remark=adopted.remark)
    source = adopted.model.SerializeToString()
    return Identified(opened(source), adopted.spec, source, declared=False, remark=adopted.remark)


def _on_rgb(source: Path | bytes, scale: int) -> bytes:
    from subpixel.graph.metadata import load_model
    from subpixel.graph.passes.wrap import rgb_from_luma

    return bytes(rgb_from_luma(load_model(source), scale).SerializeToString())


def probe(session: Probeable, name: str) -> ModelSpec:
    """Find out by running it: channels, scale, size multiple, whether the batch is free.

    Raises :class:`NetworkError` when the network does not enlarge both sides by one whole number
    and keep its channels, at any size multiple tried.
    """
    batch, _, *size = session.input_shape
    fixed = (size[0], size[1]) if isinstance(size[0], int) and isinstance(size[1], int) else None
    count = batch if isinstance(batch, int) else 1
    from subpixel.thirdparty.op import expect_unit_range

    failures: list[str] = []
    for planes, multiple in _candidates(session, fixed is not None):
        sizes = [fixed] if fixed else odd_multiples(multiple)
        try:
            scale = _scale_at(session, count, planes, sizes)
        except NetworkError as error:
            failures.append(str(error))
            continue
        spec = ModelSpec(
            name=name,
            scale=scale,
            colour=_colour(planes),
            interface=_colour(planes),
            size_multiple=multiple,
            padding="edge" if fixed else "reflect",
            fixed_size=fixed,
            fixed_batch=_fixed_batch(session, planes, scale, sizes[0]),
        )
        expect_unit_range(session, spec)
        return spec
    raise NetworkError(f"this is no super-resolution network: {failures[0]}")


def _candidates(session: Probeable, fixed: bool) -> list[tuple[int, int]]:
    """The channels and size multiples to try, in this order."""
    channels = session.input_shape[1]
    planes = [channels] if isinstance(channels, int) else [3, 1]
    return [(p, m) for p in planes for m in (MULTIPLES[:1] if fixed else MULTIPLES)]


def _colour(planes: int) -> Colour:
    if planes == 1:
        return "luma"
    if planes == 3:
        return "rgb"
    raise NetworkError(f"its input has {planes} channels; subpixel runs 1 (luma) or 3 (RGB)")


def _scale_at(session: Probeable, batch: int, planes: int, sizes: list[tuple[int, int]]) -> int:
    scales = {_scale_of(session, (batch, planes, *size)) for size in sizes}
    if len(scales) != 1:
        raise NetworkError(f"its scale changes with the picture's size: {sorted(scales)}")
    return scales.pop()


def _scale_of(session: Probeable, shape: tuple[int, int, int, int]) -> int:
    result = session(np.full(shape, 0.5, dtype=np.float32))
    scale = result.shape[2] // shape[2] if result.ndim == 4 else 0
    if scale < 1 or result.shape != (*shape[:2], shape[2] * scale, shape[3] * scale):
        raise NetworkError(f"it turns the shape {shape} into {result.shape}")
    return scale


def _fixed_batch(session: Probeable, planes: int, scale: int, size: tuple[int, int]) -> int | None:
    declared = session.input_shape[0]
    if isinstance(declared, int):
        return declared
    try:
        return None if _scale_of(session, (2, planes, *size)) == scale else 1
    except NetworkError:
        return 1

"""A name or a file becomes a network that runs, in a setting.

A luma network becomes an RGB network inside its graph (:mod:`subpixel.graph.passes.wrap`).
"""

from dataclasses import dataclass, replace
from pathlib import Path

from subpixel.convention import UNKNOWN_CONVENTION, Convention
from subpixel.errors import ProviderError, SpecError
from subpixel.network.identify import (
    OpenFile,
    expect_scale,
    identify,
    is_ort_file,
    read_declared_spec,
)
from subpixel.network.locate import locate
from subpixel.network.network import Network
from subpixel.network.settings import DEFAULT_SETTINGS, RunSettings
from subpixel.runtime.devices import Arithmetic, find_device
from subpixel.runtime.opening import Opened, open_session
from subpixel.spec import ModelSpec
from subpixel.system.processors import cores
from subpixel.zoo import manifest
from subpixel.zoo.family import POINTS, FamilyPoint, find_mixture

ON_CORES = ("cpu", "openvino")
"""Devices that compute on the processor's cores, where tiles can have one each."""

MAX_HALO = 32
"""Halo up to which tiles run side by side: cutting costs less than it saves. A core that has a tile
to itself, from samples to samples, need not wait for others at the end of every layer."""


def open_network(
    model: str | Path = manifest.DEFAULT_NETWORK,
    settings: RunSettings = DEFAULT_SETTINGS,
    *,
    scale: int | None = None,
    convention: Convention = UNKNOWN_CONVENTION,
) -> Network:
    """Open a bundled network or one of the gallery by name, or an ONNX file by path.

    On a device that doesn't take 8-bit integers a bundled network in them is opened in its float32
    form, and :attr:`~subpixel.network.network.Network.remark` says so.

    ``scale`` chooses among a bundled network's scales (default 3); for all others it must be the
    file's own. ``settings`` say where and in what it runs; where the network is local and they
    don't ask for whole pictures (``tile`` 0), tiles run side by side, one on each core.
    ``convention`` is what is known of a third-party file; the rest is found out by running it.

    Raises :class:`~subpixel.errors.UsageError` for a name or scale that isn't there,
    :class:`~subpixel.errors.NetworkError` for a file that is no super-resolution network, and
    :class:`ProviderError` for a device that can't be had, or one that would compute in another
    precision.
    """
    file, settings = locate(model, scale), settings.resolve()
    integers = manifest.find_integers(file)
    if integers is not None and not find_device(settings.device).takes_integers:
        return _open_exact_form(integers, settings)
    network = _open_file(file, _Opener(settings), convention)
    expect_scale(model, network.spec, scale)
    _expect_precision(network.spec, settings, file)
    return network


def open_mixture(
    point: FamilyPoint, settings: RunSettings = DEFAULT_SETTINGS, *, scale: int | None = None
) -> Network:
    """Open a float32 network between ``balanced`` and ``denoise``, its weights mixed now.

    Raises what :func:`open_network` raises.
    """
    from subpixel.graph.metadata import load_model, read_spec, with_spec
    from subpixel.graph.passes.mix import mix_weights

    start, end = (load_model(locate(one.name, scale)) for one in (POINTS[0], POINTS[-1]))
    spec = read_spec(start)
    assert spec is not None  # bundled files state their facts
    spec, settings = replace(spec, name=point.name), settings.resolve()
    _expect_precision(spec, settings, Path(point.name))
    opener = _Opener(settings)
    workers = opener.workers(spec)
    content = with_spec(mix_weights(start, end, point.strength), spec).SerializeToString()
    session = (opener.open_alone if workers == 1 else opener.open_shared)(content)
    return Network(session, spec, session.provider, workers, content)


def _open_exact_form(integers: manifest.BundledNetwork, settings: RunSettings) -> Network:
    """The bundled network that ``integers`` is a form of, in float32."""
    name = integers.name.removesuffix(manifest.INT8)
    mixture = find_mixture(name)
    if mixture is None:
        network = open_network(name, settings, scale=integers.scale)
    else:
        network = open_mixture(mixture, settings, scale=integers.scale)
    reason = f"8-bit integers are exact on the processor, and not on {settings.device}"
    return replace(network, remark=f"{name}, its float32 form: {reason}")


@dataclass(frozen=True)
class _Opener:
    """Opens sessions as ``settings``, which are resolved, ask for."""

    settings: RunSettings

    @property
    def side_by_side(self) -> bool:
        """Whether tiles may run side by side, if the network allows it."""
        return self.settings.tile != 0 and self.settings.device in ON_CORES

    @property
    def arithmetic(self) -> Arithmetic:
        precision = self.settings.precision
        choice = find_device(self.settings.device).runtime == "openvino"
        return precision if choice and precision in ("bf16", "fp16") else "fp32"

    def workers(self, spec: ModelSpec) -> int:
        """How many tiles run side by side."""
        local = spec.halo is not None and spec.halo <= MAX_HALO
        return (self.settings.threads or cores()) if self.side_by_side and local else 1

    def guess(self, file: Path) -> OpenFile:
        """How ``file`` is likely to be opened for good: as the facts that it states ask for."""
        try:
            spec = read_declared_spec(file)
        except SpecError:  # raised again, with the file's name, when it is identified
            spec = None
        shared = self.side_by_side if spec is None else self.workers(spec) > 1
        return self.open_shared if shared else self.open_alone

    def open_shared(self, source: Path | bytes) -> Opened:
        """A session for so many runs at a time as there are threads, each on one of them."""
        return self._open_session(source, threads=1, runs=self.settings.threads or cores())

    def open_alone(self, source: Path | bytes) -> Opened:
        """A session for one run at a time, on all threads."""
        return self._open_session(source, threads=self.settings.threads)

    def _open_session(self, source: Path | bytes, *, threads: int | None, runs: int = 1) -> Opened:
        return open_session(
            source,
            device=self.settings.device,
            threads=threads,
            runs=runs,
            arithmetic=self.arithmetic,
            captured=bool(self.settings.cuda_graphs),
        )


def _open_file(file: Path, opener: _Opener, convention: Convention) -> Network:
    first = opener.guess(file)
    identity = identify(file, first, convention)
    session, spec, source = identity.session, identity.spec, identity.source
    workers = opener.workers(spec)
    open_file = opener.open_alone if workers == 1 else opener.open_shared
    if spec.interface == "luma":
        wrapped, spec = _wrap_luma(source, spec)
        session = open_file(wrapped)
    elif first != open_file:
        session = open_file(source)
    codes = session.codes if session.takes_codes else None
    graph = None if is_ort_file(file) else source
    return Network(session, spec, session.provider, workers, graph, codes, identity.remark)


def _wrap_luma(source: Path | bytes, spec: ModelSpec) -> tuple[bytes, ModelSpec]:
    """A luma network's file as one for RGB, and its facts."""
    from subpixel.graph.metadata import load_model
    from subpixel.graph.passes.wrap import rgb_from_luma, spec_on_rgb

    model = rgb_from_luma(load_model(source), spec.scale)
    return bytes(model.SerializeToString()), spec_on_rgb(spec)


def _expect_precision(spec: ModelSpec, settings: RunSettings, file: Path) -> None:
    if spec.precision == "int8" and not find_device(settings.device).takes_integers:
        raise ProviderError(
            f"{file.name} is a network of 8-bit integers, which {settings.device} doesn't compute "
            "exactly: name the float32 file that it was made of, or use --device cpu"
        )
    arithmetic = _Opener(settings).arithmetic
    computed = spec.precision if arithmetic == "fp32" else arithmetic
    if settings.precision not in (None, computed):
        raise ProviderError(
            f"{settings.device} would compute {file.name} in {computed}, not in "
            f"{settings.precision}: name another device or precision, or make a file of that "
            "precision with subpixel quantize"
        )

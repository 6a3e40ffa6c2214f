"""ONNX Runtime as a NetOp, on the execution provider that was asked for and no other."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from subpixel.errors import NetworkError, ProviderError, UsageError, one_line
from subpixel.runtime.bound import BoundRuns
from subpixel.runtime.devices import DEVICES, find_device
from subpixel.runtime.op import Codes, Pixels
from subpixel.runtime.pixels import through_codes
from subpixel.runtime.provider_options import CAPTURED, MEMORY, provider_options
from subpixel.system.cache import cache_folder
from subpixel.system.session_options import LEVELS, Optimisation

CODES = "tensor(uint8)"
DTYPES: Mapping[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    CODES: np.uint8,
}
"""By ONNX Runtime's name of an input's type."""

WRONG_VERSIONS = ("1.24.0", "1.24.1")
"""Versions of ONNX Runtime that can compute NaN (onnxruntime#29788)."""


def providers() -> tuple[str, ...]:
    """The execution providers that are part of the installed ONNX Runtime."""
    return tuple(onnxruntime.get_available_providers())


class Session:
    """A network file under ONNX Runtime; a NetOp.

    A file that takes 8-bit pictures is one too: its pixels are rounded to code values, and back.
    :meth:`codes` runs it as the :class:`~subpixel.runtime.op.CodeOp` that it is.

    ``model`` is the file's path or its bytes. ``device`` is one of ONNX Runtime's in
    :data:`~subpixel.runtime.devices.DEVICES`; ``threads`` None leaves it to ONNX Runtime: one per
    physical core; ``optimisation`` is how far ONNX Runtime may rewrite the graph. Several threads
    may call one session at a time. ``captured`` replays what a shape needs as one CUDA graph, for
    up to :data:`~subpixel.runtime.bound.SHAPES` shapes.

    Raises :class:`ProviderError` when the device can't be had, and :class:`NetworkError` when
    the file is no network that maps one 4-D tensor, of floats or of uint8, to another.
    """

    def __init__(
        self,
        model: bytes | Path,
        *,
        device: str = "cpu",
        threads: int | None = None,
        optimisation: Optimisation = "all",
        captured: bool = False,
    ) -> None:
        self.device = device
        source = model if isinstance(model, bytes) else str(model)
        options = _options(threads, optimisation)
        self._session = _open_on(source, device, options, captured)
        self.provider: str = self._session.get_providers()[0]
        """The execution provider really in use."""
        self._input, self._output = _ends(self._session)
        ends = (self._input.name, self._output.name)
        self._captured = BoundRuns(self._session, ends, MEMORY[device]) if captured else None
        self._dtype = DTYPES[self._input.type]

    @property
    def metadata(self) -> Mapping[str, str]:
        """The file's ``metadata_props``."""
        return dict(self._session.get_modelmeta().custom_metadata_map)

    @property
    def input_shape(self) -> tuple[int | str | None, ...]:
        """Declared shape of the input, NCHW: a number where fixed, a name or None where free."""
        shape = tuple(self._input.shape)
        return (shape[0], shape[3], *shape[1:3]) if self.takes_codes else shape

    @property
    def takes_codes(self) -> bool:
        """Whether the file takes and gives 8-bit pictures, NHWC."""
        return self._dtype is np.uint8

    def __call__(self, pixels: Pixels, /) -> Pixels:
        if self.takes_codes:
            return through_codes(self.codes, pixels)
        return np.asarray(self._run(pixels), dtype=np.float32)

    def codes(self, codes: Codes, /) -> Codes:
        """8-bit pictures through a file that :attr:`takes_codes`, without a detour."""
        return self._run(codes)

    def _run(self, pixels: NDArray[Any]) -> NDArray[Any]:
        given = np.ascontiguousarray(pixels, dtype=self._dtype)
        try:
            result = self._computed(given)
        except Exception as error:  # ONNX Runtime's exceptions share no base of their own
            if _refused_memory(error):
                raise MemoryError(f"the network at {pixels.shape}: {one_line(error)}") from error
            raise NetworkError(
                f"the network failed on an input of shape {pixels.shape}: {one_line(error)}"
            ) from error
        return np.asarray(result)

    def _computed(self, given: NDArray[Any]) -> NDArray[Any]:
        if self._captured is not None:
            return self._captured(given)
        (result,) = self._session.run([self._output.name], {self._input.name: given})
        return np.asarray(result)


def _refused_memory(error: Exception) -> bool:
    said = str(error).lower()
    return any(words in said for words in ("allocat", "bad_alloc", "out of memory"))


def _options(threads: int | None, optimisation: Optimisation) -> onnxruntime.SessionOptions:
    if threads is not None and threads < 1:
        raise UsageError(f"threads is {threads}; it must be at least 1")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
    options.graph_optimization_level = LEVELS[optimisation]
    options.log_severity_level = 4  # what goes wrong is raised, once, in our words
    return options


def _open_on(
    source: bytes | str, device: str, options: onnxruntime.SessionOptions, captured: bool
) -> onnxruntime.InferenceSession:
    provider = _provider(device)
    if captured and device not in CAPTURED:
        raise UsageError(f"device is {device!r}; CUDA graphs are captured on {', '.join(CAPTURED)}")
    told = provider_options(device, cache_folder(), captured=captured)
    try:
        session = onnxruntime.InferenceSession(source, options, providers=[(provider, told)])
    except Exception as error:  # ONNX Runtime's exceptions share no base of their own
        raise NetworkError(f"ONNX Runtime can't load it: {one_line(error)}") from error
    if session.get_providers()[0] != provider:
        raise ProviderError(
            f"{device}: {provider} is installed but did not start, and ONNX Runtime fell back to "
            f"{session.get_providers()[0]}; it needs {DEVICES[device].install}; or use --device cpu"
        )
    return session


def _provider(device: str) -> str:
    provider = find_device(device).provider
    if onnxruntime.__version__ in WRONG_VERSIONS:
        raise ProviderError(
            f"ONNX Runtime {onnxruntime.__version__} can compute NaN (onnxruntime#29788); install "
            "another: pip install --upgrade onnxruntime"
        )
    if provider not in providers():
        raise ProviderError(
            f"{device}: the installed ONNX Runtime {onnxruntime.__version__} has no "
            f"{provider}; it needs {DEVICES[device].install}"
        )
    return provider


def _ends(
    session: onnxruntime.InferenceSession,
) -> tuple[onnxruntime.NodeArg, onnxruntime.NodeArg]:
    """The network's one input and one output, or a :class:`NetworkError` that says what it has."""
    inputs, outputs = session.get_inputs(), session.get_outputs()
    ends = [*inputs, *outputs]
    kinds = {end.type for end in ends}
    known = kinds == {CODES} or kinds <= DTYPES.keys() - {CODES}
    if len(inputs) != 1 or len(outputs) != 1 or not known or len(inputs[0].shape) != 4:
        described = ", ".join(f"{end.name} {end.type} {end.shape}" for end in ends)
        raise NetworkError(
            "this is no super-resolution network: it should map one 4-D tensor of floats or "
            "of uint8 to another, "
            f"and has {len(inputs)} inputs and {len(outputs)} outputs ({described}); "
            "subpixel adopt makes such a file of other forms"
        )
    return inputs[0], outputs[0]

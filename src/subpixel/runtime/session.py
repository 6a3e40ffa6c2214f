"""ONNX Runtime as a NetOp, on the requested execution provider or not at all."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from subpixel.errors import NetworkError, ProviderError, UsageError, one_line
from subpixel.runtime.devices import (
    CUDA_GRAPHS,
    DEVICES,
    GRAPH_MEMORY,
    find_device,
    provider_options,
)
from subpixel.runtime.io_binding import BoundRuns
from subpixel.runtime.op import Codes, Pixels
from subpixel.runtime.pixels import through_codes
from subpixel.runtime.plugins import is_plugin_installed, open_plugin_session
from subpixel.system.files.cache import cache_folder
from subpixel.system.processes.interruptible import call_interruptibly
from subpixel.system.session_options import Optimisation, make_session_options

UINT8_TENSOR = "tensor(uint8)"
DTYPES: Mapping[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    UINT8_TENSOR: np.uint8,
}
"""By ONNX Runtime's name of the input's type."""

BROKEN_VERSIONS = ("1.24.0", "1.24.1")
"""Versions of ONNX Runtime that can compute NaN (onnxruntime#29788)."""


def providers() -> tuple[str, ...]:
    """The execution providers that are part of the installed ONNX Runtime, or were registered."""
    return tuple(onnxruntime.get_available_providers())


class Session:
    """A network file under ONNX Runtime; a NetOp.

    A file for 8-bit pictures is one too: pixels are rounded to code values, and converted back.
    :meth:`codes` runs it as a :class:`~subpixel.runtime.op.CodeOp`.

    ``model`` is the file's path or its bytes. ``device`` is one of ONNX Runtime's in
    :data:`~subpixel.runtime.devices.DEVICES`; ``threads`` None is ONNX Runtime's default, one per
    physical core; ``optimisation`` is how far ONNX Runtime may rewrite the graph. Several threads
    may call one session at once. ``captured`` runs each of up to
    :data:`~subpixel.runtime.io_binding.SHAPES` shapes as one CUDA graph.

    Raises :class:`ProviderError` when the device is not available, and :class:`NetworkError` when
    the file is not a network that maps one 4-D tensor, of floats or of uint8, to another.
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
        source = model if isinstance(model, bytes) else _nameable(model)
        options = _session_options(threads, optimisation)
        self._session = _open_on(source, device, options, captured)
        self.provider: str = self._session.get_providers()[0]
        """The execution provider in use."""
        self._input, self._output = _ends(self._session)
        ends = (self._input.name, self._output.name)
        self._captured = BoundRuns(self._session, ends, GRAPH_MEMORY[device]) if captured else None
        self._dtype = DTYPES[self._input.type]

    @property
    def metadata(self) -> Mapping[str, str]:
        """The file's ``metadata_props``; raises :class:`NetworkError` where they are no UTF-8."""
        try:
            return dict(self._session.get_modelmeta().custom_metadata_map)
        except UnicodeDecodeError as error:
            raise NetworkError("its metadata is no text; export it again") from error

    @property
    def input_shape(self) -> tuple[int | str | None, ...]:
        """Declared shape of the input, NCHW: a number where fixed, a name or None where free."""
        shape = tuple(self._input.shape)
        return (shape[0], shape[3], *shape[1:3]) if self.takes_codes else shape

    @property
    def takes_codes(self) -> bool:
        """Whether the file's input and output are 8-bit pictures, NHWC."""
        return self._dtype is np.uint8

    def __call__(self, pixels: Pixels, /) -> Pixels:
        if self.takes_codes:
            return through_codes(self.codes, pixels)
        return np.asarray(self._run(pixels), dtype=np.float32)

    def codes(self, codes: Codes, /) -> Codes:
        """Run a file that :attr:`takes_codes` on 8-bit pictures directly."""
        return self._run(codes)

    def _run(self, pixels: NDArray[Any]) -> NDArray[Any]:
        samples = np.ascontiguousarray(pixels, dtype=self._dtype)
        try:
            result = call_interruptibly(partial(self._compute, samples))
        except Exception as error:  # ONNX Runtime's exceptions have no common base
            if _is_out_of_memory(error):
                raise MemoryError(f"the network at {pixels.shape}: {one_line(error)}") from error
            raise NetworkError(
                f"the network failed on an input of shape {pixels.shape}: {one_line(error)}"
            ) from error
        return np.asarray(result)

    def _compute(self, samples: NDArray[Any]) -> NDArray[Any]:
        if self._captured is not None:
            return self._captured(samples)
        (result,) = self._session.run([self._output.name], {self._input.name: samples})
        return np.asarray(result)


def _nameable(file: Path) -> str | bytes:
    """The file's name, or its content where the name is no UTF-8: ONNX Runtime takes none else."""
    try:
        str(file).encode()
    except UnicodeEncodeError:
        return file.read_bytes()
    return str(file)


def _is_out_of_memory(error: Exception) -> bool:
    message = str(error).lower()
    return any(words in message for words in ("allocat", "bad_alloc", "out of memory"))


def _session_options(threads: int | None, optimisation: Optimisation) -> onnxruntime.SessionOptions:
    if threads is not None and threads < 1:
        raise UsageError(f"threads is {threads}; it must be at least 1")
    options = make_session_options(optimisation)
    options.intra_op_num_threads = threads or 0
    return options


def _open_on(
    source: bytes | str, device: str, options: onnxruntime.SessionOptions, captured: bool
) -> onnxruntime.InferenceSession:
    _expect_sound_version()
    if captured and device not in CUDA_GRAPHS:
        raise UsageError(
            f"device is {device!r}; CUDA graphs are captured on {', '.join(CUDA_GRAPHS)}"
        )
    if is_plugin_installed(find_device(device)):
        return open_plugin_session(source, device, options)
    provider = _provider(device)
    provider_settings = provider_options(device, cache_folder(), captured=captured)
    try:
        session = call_interruptibly(
            lambda: onnxruntime.InferenceSession(
                source, options, providers=[(provider, provider_settings)]
            )
        )
    except Exception as error:  # ONNX Runtime's exceptions have no common base
        raise NetworkError(f"ONNX Runtime can't load it: {one_line(error)}") from error
    if session.get_providers()[0] != provider:
        raise ProviderError(
            f"{device}: {provider} is installed but did not start, and ONNX Runtime fell back to "
            f"{session.get_providers()[0]}; it needs {DEVICES[device].install}; or use --device cpu"
        )
    return session


def _expect_sound_version() -> None:
    if onnxruntime.__version__ in BROKEN_VERSIONS:
        raise ProviderError(
            f"ONNX Runtime {onnxruntime.__version__} can compute NaN (onnxruntime#29788); install "
            "another: pip install --upgrade onnxruntime"
        )


def _provider(device: str) -> str:
    provider = find_device(device).provider
    if provider not in providers():
        raise ProviderError(
            f"{device}: the installed ONNX Runtime {onnxruntime.__version__} has no "
            f"{provider}; it needs {DEVICES[device].install}"
        )
    return provider


def _ends(
    session: onnxruntime.InferenceSession,
) -> tuple[onnxruntime.NodeArg, onnxruntime.NodeArg]:
    """The network's only input and output; raises :class:`NetworkError`, naming all, otherwise."""
    inputs, outputs = session.get_inputs(), session.get_outputs()
    ends = [*inputs, *outputs]
    kinds = {end.type for end in ends}
    is_picture = kinds == {UINT8_TENSOR} or kinds <= DTYPES.keys() - {UINT8_TENSOR}
    if len(inputs) != 1 or len(outputs) != 1 or not is_picture or len(inputs[0].shape) != 4:
        described = ", ".join(f"{end.name} {end.type} {end.shape}" for end in ends)
        raise NetworkError(
            "this is no super-resolution network: it should map one 4-D tensor of floats or "
            "of uint8 to another, "
            f"and has {len(inputs)} inputs and {len(outputs)} outputs ({described}); "
            "subpixel adopt converts files of other forms"
        )
    return inputs[0], outputs[0]

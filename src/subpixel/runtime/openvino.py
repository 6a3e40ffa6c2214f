"""OpenVINO as a NetOp, computing in the requested arithmetic or not at all."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import NetworkError, ProviderError, UsageError, one_line
from subpixel.runtime.devices import DEVICES, Arithmetic
from subpixel.runtime.op import Codes, Pixels
from subpixel.runtime.pixels import through_codes
from subpixel.system.extras import explain_missing

if TYPE_CHECKING:
    import openvino

HINTS: Mapping[Arithmetic, str] = {"fp32": "f32", "bf16": "bf16", "fp16": "f16"}
"""OpenVINO's names. By default it computes in bfloat16 wherever the processor supports it, whatever
the file's type."""

UINT8_TYPE = "u8"
"""OpenVINO's name for uint8."""

FIRST_EXCHANGE = Lock()
"""Guards the first exchange with NumPy: when two threads make it at once, OpenVINO's bindings
deadlock, one waiting for the C++ guard of a static variable, the other for the GIL."""

TELEMETRY = "openvino_telemetry"


class OpenVinoSession:
    """A network file under OpenVINO, on the CPU; a NetOp.

    A file for 8-bit pictures is one too: pixels are rounded to code values, and converted back.
    :meth:`codes` runs it on such pictures directly.

    ``model`` is the file's path or its bytes. Up to ``runs`` calls may run at once, each from its
    own thread and on ``threads`` threads (None: one per physical core). ``arithmetic`` is the
    floating-point type of the computation; the integers of an int8 file stay integers.

    Raises :class:`ProviderError` when OpenVINO is missing or doesn't support ``arithmetic`` on this
    processor, and :class:`NetworkError` when the file is not a network that maps one 4-D tensor, of
    floats or of uint8, to another.
    """

    device = "openvino"
    provider = DEVICES["openvino"].provider

    def __init__(
        self,
        model: bytes | Path,
        *,
        threads: int | None = None,
        runs: int = 1,
        arithmetic: Arithmetic = "fp32",
    ) -> None:
        if threads is not None and threads < 1:
            raise UsageError(f"threads is {threads}; it must be at least 1")
        library = _library()
        graph = _read_graph(library, model)
        self.metadata: Mapping[str, str] = _read_metadata(graph)
        """The file's ``metadata_props``."""
        self._input = _find_input(graph)
        self._network = _compile(library, graph, _make_properties(threads, runs, arithmetic))
        _expect_arithmetic(self._network, arithmetic)
        self._idle: SimpleQueue[openvino.InferRequest] = SimpleQueue()

    @property
    def input_shape(self) -> tuple[int | str | None, ...]:
        """Declared shape of the input, NCHW: a number where fixed, None where free."""
        sides = self._input.partial_shape
        shape = tuple(side.get_length() if side.is_static else None for side in sides)
        return (shape[0], shape[3], *shape[1:3]) if self.takes_codes else shape

    @property
    def takes_codes(self) -> bool:
        """Whether the file's input and output are 8-bit pictures, NHWC."""
        return bool(self._input.element_type.to_string() == UINT8_TYPE)

    def __call__(self, pixels: Pixels, /) -> Pixels:
        if self.takes_codes:
            return through_codes(self.codes, pixels)
        return np.asarray(self._run(pixels), dtype=np.float32)

    def codes(self, codes: Codes, /) -> Codes:
        """Run a file that :attr:`takes_codes` on 8-bit pictures directly."""
        return self._run(codes)

    def _run(self, pixels: NDArray[Any]) -> NDArray[Any]:
        samples = np.ascontiguousarray(pixels, dtype=self._input.element_type.to_dtype())
        with self._request() as request:
            try:
                request.infer([samples], share_inputs=True)
            except RuntimeError as error:
                if "bad_alloc" in str(error):
                    raise MemoryError(f"OpenVINO was refused memory for {pixels.shape}") from error
                raise NetworkError(
                    f"the network failed on an input of shape {pixels.shape}: "
                    f"{_without_source_lines(error)}"
                ) from error
            # the request's own memory, which its next run overwrites
            return np.array(request.get_output_tensor().data)

    @contextmanager
    def _request(self) -> "Iterator[openvino.InferRequest]":
        """A request for this thread only: an idle one, or a new one."""
        try:
            request = self._idle.get_nowait()
        except Empty:
            request = self._network.create_infer_request()
        try:
            yield request
        finally:
            self._idle.put(request)


def is_installed() -> bool:
    """Whether OpenVINO can be imported; nothing is imported."""
    from importlib.util import find_spec

    try:
        return find_spec("openvino") is not None
    except ValueError:  # a module without a spec was put in its place
        return False


def _library() -> Any:  # noqa: ANN401 - a module
    try:
        with _without_telemetry():
            import openvino
            import openvino.frontend
    except ModuleNotFoundError as error:
        raise explain_missing(error) from error
    with FIRST_EXCHANGE:
        openvino.Tensor(np.zeros(1, np.float32)).data  # noqa: B018
    return openvino


@contextmanager
def _without_telemetry() -> Iterator[None]:
    """Hide OpenVINO's telemetry package during the import: with it, importing OpenVINO writes an
    identifier and a counter to the home directory and sends a report to Intel."""
    if TELEMETRY in sys.modules:
        yield
        return
    sys.modules[TELEMETRY] = None  # type: ignore[assignment]  # makes its import fail
    try:
        yield
    finally:
        del sys.modules[TELEMETRY]


def _read_graph(library: Any, model: bytes | Path) -> "openvino.Model":  # noqa: ANN401 - a module
    """With the ONNX front end only: when OpenVINO picks one, each of them prints its complaints."""
    reader = library.frontend.FrontEndManager().load_by_framework("onnx")
    try:
        return reader.convert(reader.load(BytesIO(model) if isinstance(model, bytes) else model))
    except Exception as error:  # its front ends' exceptions have no common base
        raise NetworkError(f"OpenVINO can't load it: {_without_source_lines(error)}") from error


def _make_properties(
    threads: int | None, runs: int, arithmetic: Arithmetic
) -> dict[str, str | int]:
    each = {} if threads is None else {"INFERENCE_NUM_THREADS": threads * runs}
    return {
        "NUM_STREAMS": runs,
        "INFERENCE_PRECISION_HINT": HINTS[arithmetic],
        "ENABLE_CPU_PINNING": False,  # the caller owns the threads, and shares the cores
        **each,
    }


def _compile(
    library: Any,  # noqa: ANN401 - a module
    graph: "openvino.Model",
    properties: Mapping[str, str | int],
) -> "openvino.CompiledModel":
    try:
        return library.Core().compile_model(graph, "CPU", properties)
    except RuntimeError as error:
        raise NetworkError(f"OpenVINO can't compile it: {_without_source_lines(error)}") from error


def _expect_arithmetic(network: "openvino.CompiledModel", arithmetic: Arithmetic) -> None:
    actual = network.get_property("INFERENCE_PRECISION_HINT").to_string()
    if actual != HINTS[arithmetic]:
        raise ProviderError(
            f"openvino: this processor has no {arithmetic}, and OpenVINO would compute in {actual}"
            f"; leave {arithmetic} out"
        )


def _read_metadata(graph: "openvino.Model") -> Mapping[str, str]:
    properties = dict(graph.get_rt_info().items()).get("framework", {})
    return {key: str(value.value) for key, value in properties.items()}


def _find_input(graph: "openvino.Model") -> "openvino.Output":
    """The network's only input; raises :class:`NetworkError`, naming inputs and outputs,
    otherwise."""
    inputs, outputs = graph.inputs, graph.outputs
    ends = [*inputs, *outputs]
    kinds = {end.element_type.to_string() for end in ends}
    is_picture = kinds == {UINT8_TYPE} or kinds <= {"f32", "f16"}
    one_each = len(inputs) == 1 and len(outputs) == 1
    if not one_each or not is_picture or len(inputs[0].partial_shape) != 4:
        described = ", ".join(f"{e.any_name} {e.element_type.to_string()}" for e in ends)
        raise NetworkError(
            "this is no super-resolution network: it should map one 4-D tensor of floats or of "
            "uint8 to another, "
            f"and has {len(inputs)} inputs and {len(outputs)} outputs ({described})"
        )
    return inputs[0]


def _without_source_lines(error: Exception) -> str:
    """OpenVINO's message without the lines that name its source files."""
    lines = str(error).splitlines()
    return one_line(RuntimeError("\n".join(x for x in lines if not x.startswith("Exception from"))))

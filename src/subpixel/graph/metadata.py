"""Reading ONNX files, and the facts in their metadata."""

from dataclasses import replace
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from subpixel.errors import NetworkError
from subpixel.graph.ort_format import is_ort
from subpixel.graph.passes.sparse import make_dense
from subpixel.spec import METADATA_PREFIX, ModelSpec, Precision, spec_from_metadata
from subpixel.system.files.inputs import open_input
from subpixel.system.files.stand_ins import describe_stand_in

MAX_MESSAGE_BYTES = 2**31 - 1
"""The largest message that protobuf reads and writes."""


def with_spec(model: onnx.ModelProto, spec: ModelSpec) -> onnx.ModelProto:
    """A copy of ``model`` whose facts are ``spec``.

    Metadata under other keys, producer and documentation are kept.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    theirs = [p for p in model.metadata_props if not _text(p.key).startswith(METADATA_PREFIX)]
    del result.metadata_props[:]
    result.metadata_props.extend(theirs)
    for key, value in spec.to_metadata().items():
        result.metadata_props.add(key=key, value=value)
    return result


def read_spec(model: onnx.ModelProto) -> ModelSpec | None:
    """The facts in the metadata of ``model``, or None when there are none.

    Raises :class:`~subpixel.errors.SpecError` when they can't be read.
    """
    return spec_from_metadata({_text(p.key): _text(p.value) for p in model.metadata_props})


def _text(value: str | bytes) -> str:
    """protobuf gives a string that is no UTF-8 as bytes."""
    return value if isinstance(value, str) else value.decode("utf-8", "replace")


def with_precision(model: onnx.ModelProto, precision: Precision) -> onnx.ModelProto:
    """A copy of ``model`` whose facts, if there are any, state ``precision``."""
    spec = read_spec(model)
    return model if spec is None else with_spec(model, replace(spec, precision=precision))


def list_parameter_files(file: Path) -> list[Path]:
    """The other files that hold parameters of an ONNX file, by name; none of them is looked at.

    Raises :class:`~subpixel.errors.NetworkError` as :func:`load_model` does.
    """
    tensors = _parse(file).graph.initializer
    entries = (entry for tensor in tensors for entry in tensor.external_data)
    return sorted({file.parent / entry.value for entry in entries if entry.key == "location"})


def load_model(source: Path | bytes) -> onnx.ModelProto:
    """Read an ONNX file, or its content. Parameters in external files are loaded into the model,
    sparse ones made dense.

    Raises :class:`~subpixel.errors.NetworkError` when the file is missing, truncated, not an ONNX
    file or larger than :data:`MAX_MESSAGE_BYTES`, or when its external parameters can't be found.
    """
    if isinstance(source, bytes):
        model = onnx.load_from_string(source)
        make_dense(model)
        return model
    file, model = source, _parse(source)
    try:
        onnx.load_external_data_for_model(model, str(file.parent))
    except (OSError, ValueError, onnx.checker.ValidationError) as error:
        raise NetworkError(
            f"{file}: its parameters lie in another file that can't be read "
            f"({_first_line(error)}); put that file beside it, or export with the parameters inside"
        ) from error
    make_dense(model)
    return model


def model_bytes(model: onnx.ModelProto, file: Path) -> bytes:
    """``model``, read from ``file``, as one protobuf message with its parameters.

    Raises :class:`~subpixel.errors.NetworkError` where that exceeds :data:`MAX_MESSAGE_BYTES`.
    """
    size = sum(len(tensor.raw_data) for tensor in model.graph.initializer)
    if size > MAX_MESSAGE_BYTES:
        raise NetworkError(
            f"{file}: has {size / 1e9:.1f} GB of parameters; a graph that is compared must fit one "
            f"message of protobuf's, {MAX_MESSAGE_BYTES / 1e9:.1f} GB: take a file of it in fp16"
        )
    return bytes(model.SerializeToString())


def _parse(file: Path) -> onnx.ModelProto:
    model = onnx.ModelProto()
    try:
        size = file.stat().st_size
        if size > MAX_MESSAGE_BYTES:
            raise NetworkError(
                f"{file}: is {size / 1e9:.1f} GB; an ONNX file holds at most "
                f"{MAX_MESSAGE_BYTES / 1e9:.1f} GB, protobuf's limit: save it with its parameters "
                "in a file beside it"
            )
        with open_input(file) as stream:
            content = stream.read()
        if stand_in := describe_stand_in(content):
            raise NetworkError(f"{file}: {stand_in}")
        if is_ort(content):
            raise NetworkError(
                f"{file}: is of ONNX Runtime's own format (.ort), which only ONNX Runtime reads; "
                "use the ONNX file that it was made from"
            )
        model.ParseFromString(content)
    except OSError as error:
        raise NetworkError(f"{file}: can't be read: {error.strerror}") from error
    except (DecodeError, UnicodeDecodeError) as error:  # by protobuf's implementation
        raise NetworkError(
            f"{file}: is no ONNX file, or is cut short; download or export it again"
        ) from error
    if not model.ir_version or not model.opset_import or not model.graph.node:
        raise NetworkError(f"{file}: is no ONNX network: it holds no graph; export it again")
    unknown = sorted(_list_types(model.graph) - set(onnx.TensorProto.DataType.values()))
    if unknown:
        raise NetworkError(
            f"{file}: holds numbers of a type that ONNX doesn't have ({unknown[0]}): it is "
            "damaged, or newer than this version of the package onnx"
        )
    return model


def _list_types(graph: onnx.GraphProto) -> set[int]:
    """The numbers of all types of tensors that a graph declares, or holds."""
    ends = (*graph.input, *graph.output, *graph.value_info)
    return {end.type.tensor_type.elem_type for end in ends} | {
        tensor.data_type for tensor in graph.initializer
    }


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]

"""A network's name becomes a file, verified."""

from pathlib import Path

from subpixel.errors import UsageError
from subpixel.spec import Precision
from subpixel.zoo import manifest
from subpixel.zoo.family import POINTS, find_mixture, first_network, tuned_network
from subpixel.zoo.gallery import store
from subpixel.zoo.gallery.names import close_ids

DEFAULT_SCALE = 3
"""Of a bundled network, where none is named."""

NETWORK_SUFFIXES = (".onnx", ".ort")

OTHER_SUFFIXES = (".pth", ".pt", ".th", ".ckpt", ".safetensors", ".bin", ".npz")


def locate(model: str | Path, scale: int | None) -> Path:
    """The ONNX file itself, or the file of a bundled network or of one of the gallery, verified.

    A bundled network takes precedence over one of the gallery that has its name. Raises
    :class:`UsageError` where there is neither, and :class:`~subpixel.errors.NetworkError` for a
    damaged one.
    """
    file, name = Path(model), str(model)
    if file.suffix.lower() in OTHER_SUFFIXES:
        raise UsageError(
            f"{file} is a checkpoint: make a network file of it first: "
            f"subpixel export {file} -o {file.with_suffix('.onnx').name}"
        )
    if file.suffix.lower() in NETWORK_SUFFIXES or file.is_file():
        return file
    _expect_one_network(name)
    if name in manifest.network_names():
        row = manifest.find_bundled(name, DEFAULT_SCALE if scale is None else scale)
        return manifest.verify_bundled(row)
    entry = store.find_entry(name)
    if entry is None:
        raise UsageError(_unknown_name_message(name))
    return store.verify_entry(entry)


def bundled_scales(model: str | Path, precision: Precision | None) -> tuple[int, ...]:
    """The scales in which ``model`` is bundled for ``precision``, sorted; none for other networks,
    which have one scale each."""
    if Path(model).is_file():
        return ()
    name = str(first_network(model, None))
    if precision == "int8" and not name.endswith(manifest.INT8):
        return manifest.list_scales(f"{name}{manifest.INT8}")
    return manifest.list_scales(str(tuned_network(name)))


def locate_precision(model: str | Path, scale: int | None, precision: Precision | None) -> Path:
    """The file to open for ``precision``: a bundled network has one of its own for int8.

    Raises what :func:`locate` raises, and :class:`UsageError` where there is none.
    """
    file = locate(model, scale)
    if precision != "int8" or str(model).endswith(manifest.INT8):
        return file
    if file == Path(model) or str(model) not in manifest.network_names():
        raise UsageError(
            f"{model} may be of any precision; make an int8 file of it with subpixel quantize and "
            "name that, or run subpixel tune"
        )
    return locate(f"{model}{manifest.INT8}", scale)


def has_int8_twin(model: str | Path, scale: int | None) -> bool:
    """Whether ``model`` is a bundled network's name that has a file in 8-bit integers beside it."""
    if Path(model).suffix.lower() in NETWORK_SUFFIXES or Path(model).is_file():
        return False
    return manifest.has_int8(str(model), DEFAULT_SCALE if scale is None else scale)


def _expect_one_network(name: str) -> None:
    """Raise :class:`UsageError` for a name under which `upscale` finds a network, but no file."""
    if name == manifest.AUTO:
        raise UsageError(
            f"{name} is no network: it chooses one for each picture ("
            f"{', '.join(point.name for point in POINTS)}); name one"
        )
    mixture = find_mixture(name)
    if mixture is not None:
        raise UsageError(
            f"{name} has no file of its own: its weights are mixed of those of "
            f"{manifest.DEFAULT_NETWORK} and {manifest.DENOISE} when it is opened; its form in "
            f"8-bit integers has: {mixture.name}{manifest.INT8}"
        )


def _unknown_name_message(name: str) -> str:
    known = [*manifest.network_names(), manifest.AUTO, manifest.DRAWING]
    near = [*close_ids(name, known), *store.suggestions(name)]
    hint = f"; did you mean {', '.join(near)}?" if near else ""
    names = ", ".join(known)
    return (
        f"model {name!r} is neither a bundled network ({names}) nor one that subpixel models get "
        f"has fetched, nor an existing .onnx file{hint}"
    )

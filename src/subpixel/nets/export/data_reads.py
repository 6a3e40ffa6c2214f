"""Whether a network's Python code reads a picture's values, which tracing can't represent."""

import traceback
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakTensorKeyDictionary

READS = (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.equal.default)
"""The operators that ``bool``, ``int``, ``float``, ``.item()`` and indexing call; and
``torch.equal``."""


def find_data_read(module: nn.Module, example: Tensor) -> str | None:
    """The line at which ``module`` converts a value that depends on ``example`` to a Python number,
    as "file.py, line 12"; None where it doesn't.

    Reading parameters, or numbers computed from sizes, doesn't count. ``module`` must run on
    ``example``, ``(N, C, H, W)``; raises whatever its code raises.
    """
    picture = example.clone()
    watch = _Watch(picture)
    with torch.no_grad(), watch:
        module(picture)
    return watch.place


class _Watch(TorchDispatchMode):
    """Tracks the tensors that are computed from the picture, and records the first that is read."""

    def __init__(self, picture: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.place: str | None = None
        self._derived = WeakTensorKeyDictionary()
        self._derived[picture] = True

    def __torch_dispatch__(
        self,
        func: Any,  # noqa: ANN401 - an operator's overload, of no public type
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> object:
        derived = any(each in self._derived for each in _leaf_tensors((args, kwargs)))
        if derived and func in READS and self.place is None:
            self.place = _calling_line()
        result = func(*args, **(kwargs or {}))
        if derived:
            for each in _leaf_tensors(result):
                self._derived[each] = True
        return result


def _leaf_tensors(values: object) -> Iterable[Tensor]:
    return (leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor))


def _calling_line() -> str:
    """The innermost line that is neither PyTorch's nor this module's."""
    frames = reversed(traceback.extract_stack())
    own = (f for f in frames if "/torch/" not in f.filename.replace("\\", "/"))
    frame = next(f for f in own if f.filename != __file__)
    return f"{frame.filename.rpartition('/')[2]}, line {frame.lineno}"

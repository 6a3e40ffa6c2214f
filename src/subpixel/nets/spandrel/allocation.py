"""A limit on the memory that building a network may allocate."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from subpixel.errors import CheckpointError


class AllocationLimit(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """A context in which newly created tensors may have at most ``limit`` bytes in total.

    A network's code computes tensor sizes from the shapes in a checkpoint, and may multiply them: a
    file of kilobytes can request terabytes. The size of each new tensor is determined on the meta
    device before it is created; :class:`CheckpointError` is raised when the limit is exceeded.
    """

    def __init__(self, limit: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.limit = limit
        self.allocated = 0

    def __torch_dispatch__(
        self,
        func: Any,  # noqa: ANN401 - an operator's overload, of no public type
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> object:
        options = dict(kwargs or {})
        arguments = func._schema.arguments
        if any(argument.name == "device" and argument.kwarg_only for argument in arguments):
            self._count(func(*args, **{**options, "device": torch.device("meta")}))
        return func(*args, **options)

    def _count(self, tensor: object) -> None:
        if isinstance(tensor, Tensor):
            self.allocated += tensor.numel() * tensor.element_size()
        if self.allocated > self.limit:
            raise CheckpointError(
                f"requires a network of more than {self.limit / 2**30:.1f} GiB, far more than the "
                "file holds"
            )

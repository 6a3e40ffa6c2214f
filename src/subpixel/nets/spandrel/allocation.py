"""A limit on what building a network may allocate."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from subpixel.errors import CheckpointError


class AllocationLimit(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """A context in which tensors made from nothing may not add up to more than ``most`` bytes.

    A network's code turns the shapes in a checkpoint into sizes of tensors, and may multiply
    them: a file of kilobytes can ask for terabytes. Every such tensor's size is found out on the
    meta device before it is made; :class:`CheckpointError` is raised for the one too many.
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
                f"asks for a network of more than {self.limit / 2**30:.1f} GiB, far more than the "
                "file holds"
            )

"""A run of a program on tensors without data: how much would it compute, and how much memory would it need?"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from touchstone.records.encoding import DamagedFile

OPERATIONS = 4e12  # per image; the largest classifiers of torchvision need half of that
TRAFFIC = 2.0**36  # bytes read and written per image, 64 GiB; those classifiers need 17
CALLS = 100_000  # of operators in one run, including those inside others
PIECES = 10_000  # into which one operator splits a tensor
SPLITS = {
    torch.ops.aten.split.Tensor: ("split_size", "dim"),
    torch.ops.aten.unsafe_split.Tensor: ("split_size", "dim"),
    torch.ops.aten.unbind.int: ("", "dim"),
}
POOLS = ("avg_pool2d", "avg_pool3d", "max_pool2d_with_indices", "max_pool3d_with_indices")


def physical_memory() -> int:
    """Return the physical memory of this machine in bytes."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def storages(values: object) -> dict[int, torch.UntypedStorage]:
    """Return the storages of the tensors in a nested value, by identity."""
    every = (tensor.untyped_storage() for tensor in _tensors(values))
    return {storage._cdata: storage for storage in every}


class Rehearsal(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While it is active, every operator is counted before the next one runs; DamagedFile if it is too much.

    All tensors are those of a FakeTensorMode: shapes and strides as on the device, without data.

    Args:
        kept: tensors that must not change.
        images: number of images at once.
        memory: bytes that a run may need.
    """

    def __init__(self, kept: Iterable[Tensor], images: int, memory: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.kept, self.images, self.memory = storages(list(kept)), max(images, 1), memory
        self.empty = images == 0
        self.operations, self.traffic, self.calls, self.held = 0.0, 0.0, 0, dict(self.kept)

    def hold(self, values: object) -> None:
        """Count values that live until the end of the run.

        DamagedFile if all together exceed the memory.
        """
        self.held |= storages(values)
        if (total := sum(storage.nbytes() for storage in self.held.values())) > self.memory:
            raise DamagedFile(
                f"the program needs {_size(total)} of memory for {self.images} images at once; there is {_size(self.memory)}"
            )

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run and count an operator on tensors without data."""
        kwargs = kwargs or {}
        names = (argument.name for argument in function._schema.arguments)
        bound = dict(zip(names, args, strict=False)) | kwargs
        self._split(function, bound)
        if "batch_norm" in function.__name__ and not (self.empty or bound["input"].numel()):
            raise DamagedFile(f"{function} gets an empty input; its gradient would end the process")
        self._written(function, bound)
        results = function(*args, **kwargs)
        if (packet := function.overloadpacket) in flop_registry:
            self.operations += flop_registry[packet](*args, **kwargs, out_val=results)
        self._count(function, bound, results)
        return results

    def _split(self, function: Any, bound: dict[str, Any]) -> None:
        if function not in SPLITS:
            return
        size, dim = (bound.get(name, default) for name, default in zip(SPLITS[function], (1, 0), strict=True))
        if bound["self"].shape[dim] > PIECES * max(int(size), 1):
            raise DamagedFile(f"{function} cuts a tensor into more than {PIECES:,} pieces")

    def _written(self, function: Any, bound: dict[str, Any]) -> None:
        for argument in function._schema.arguments:
            written = argument.alias_info is not None and argument.alias_info.is_write
            if written and not storages(bound.get(argument.name)).keys().isdisjoint(self.kept):
                raise DamagedFile(f"{function} changes the program's weights while it runs; each run would see others")

    def _count(self, function: Any, bound: dict[str, Any], results: Any) -> None:
        name = function.overloadpacket.__name__
        read, written = (sum(map(_bytes, _tensors(values))) for values in (bound, results))
        self.calls += 1
        self.traffic += read + written * (_window(name, bound["kernel_size"]) if name in POOLS else 1)
        if name == "convolution" and bound["weight"].dtype == torch.float64:  # the input is unfolded first
            written *= max(bound["weight"].numel() / max(len(bound["weight"]), 1) ** 2, 1)
        if self.calls > CALLS:
            raise DamagedFile(f"the program runs more than {CALLS:,} operators")
        if written > self.memory:
            raise DamagedFile(f"{function} makes {_size(written)}; this machine has {_size(self.memory)} of memory")
        if self.operations > OPERATIONS * self.images or self.traffic > TRAFFIC * self.images:
            raise DamagedFile(f"the program would compute for hours for each image: it was stopped at {function}")


def _tensors(values: object) -> list[Tensor]:
    return [value for value in tree_leaves(values) if isinstance(value, Tensor)]


def _window(name: str, kernel: Any) -> float:
    """Return how many pixels a pool reads for each pixel of its result."""
    sides = kernel if isinstance(kernel, list | tuple) else [kernel]
    return float(math.prod(sides)) ** (1 if len(sides) > 1 else int(name.partition("pool")[2][0]))


def _bytes(tensor: Tensor) -> float:
    return float(math.prod(tensor.shape)) * tensor.element_size()


def _size(count: float) -> str:
    return f"{count / 2**30:,.1f} GiB"

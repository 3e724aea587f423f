"""A classifier whose code is in its file: a torch.export program."""

from __future__ import annotations

from torch import nn

from touchstone.contracts import PositiveInt
from touchstone.network_files.programs import GraphProgram


def exported_program(input_shape: tuple[int, int, int], classes: int, *, batch: PositiveInt | None = None) -> nn.Module:
    """Return an empty network that takes over the graph of a torch.export program with its weights, from a checkpoint.

    For classifiers with `use: exported_program` alone. `batch` is the only number of images at once that the program was
    exported for; None: any. input_shape and classes are the program's own.
    """
    return GraphProgram(batch)

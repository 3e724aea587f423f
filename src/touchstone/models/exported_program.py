"""A classifier whose graph is in its file: a torch.export program."""

from __future__ import annotations

from torch import nn

from touchstone.contracts import PositiveInt
from touchstone.network_files.programs import GraphProgram


def exported_program(input_shape: tuple[int, int, int], classes: int, *, batch: PositiveInt | None = None) -> nn.Module:
    """Return an empty network for a torch.export program.

    A checkpoint fills it with graph and weights. Only for classifiers with `use: exported_program`. input_shape and
    classes are those of the program.

    Args:
        input_shape: (C, H, W).
        classes: number of logits.
        batch: the only number of images that the program accepts at once; None: any.
    """
    return GraphProgram(batch)

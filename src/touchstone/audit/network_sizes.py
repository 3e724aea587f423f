"""Whether a network of a stranger is as large as the weights that came with it, before it takes memory."""

from __future__ import annotations

from contextlib import suppress

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from touchstone.contracts import Architecture
from touchstone.models.networks import checkpoints
from touchstone.records.damage import DamagedFile
from touchstone.records.nouns import Checkpoint

OFTEN = 4  # times that a layer may register one parameter: some replace theirs, as a normalisation of weights does


def check(architecture: Architecture, checkpoint: Checkpoint) -> None:
    """Refuse an architecture that is larger than its checkpoint, from its shapes alone.

    Raises:
        DamagedFile: Its settings ask for more numbers than the checkpoint holds.
    """
    stored, asked = sum(each.size for each in checkpoint.weights.values()), 0

    def count(_module: nn.Module, _name: str, parameter: Tensor | None) -> None:
        nonlocal asked
        asked += 0 if parameter is None else parameter.numel()
        if asked > OFTEN * stored:
            raise DamagedFile(f"its architecture asks for {asked:,} weights or more, the file holds {stored:,}")

    hook = register_module_parameter_registration_hook(count)
    try:
        # An architecture of one's own may compute with numbers, which a tensor without memory has none of.
        with torch.device("meta"), suppress(RuntimeError, NotImplementedError):
            checkpoints.build(architecture, checkpoint.input_shape, checkpoint.classes, checkpoint.mean, checkpoint.std)
    finally:
        hook.remove()

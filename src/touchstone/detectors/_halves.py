"""Two halves of the ID images, for detectors that need images which their Gaussians have not seen."""

from __future__ import annotations

import torch
from torch import Tensor

from touchstone.numerics.tensors import derive


def halves(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return the rows of both halves, in an order drawn by the seed.

    Raises:
        ValueError: If there are fewer than four rows.
    """
    if count < 4:
        raise ValueError(f"{count} ID images cannot be halved: at least 4 are needed")
    order = torch.randperm(count, generator=torch.Generator().manual_seed(derive(seed, "order")))
    return order[: count // 2], order[count // 2 :]

"""The scales that inputs are divided by, of those that vary."""

from __future__ import annotations

import torch
from torch import Tensor

from touchstone.numerics.precision import STEPS


def usable_scales(rows: Tensor, spread: Tensor, dtype: torch.dtype, *, least: float = 0.0) -> Tensor:
    """Return the spread of each column, and 1 for a column that varies by no more than rounding.

    Args:
        rows: (N, D).
        spread: standard deviation of each column, (D,).
        dtype: that the values were rounded to.
        least: magnitude that rounding is relative to at least; 1 for logarithms, which a value's rounding moves by as much
            near 0 as at 1.

    Raises:
        ValueError: If no column varies.
    """
    varies = spread > STEPS * torch.finfo(dtype).eps * rows.abs().amax(0).clamp(min=least)
    if not bool(varies.any()):
        raise ValueError("none of its inputs varies over the fitting images")
    return torch.where(varies, spread, torch.ones_like(spread))

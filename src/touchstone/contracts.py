"""The types that component signatures are written in: bounded numbers, and the call shapes of components.

The registry reads signatures without importing them, so a bound stated here is checked before any job starts.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Gt, Interval, Le, Lt

if TYPE_CHECKING:
    from torch import Tensor, nn

    from touchstone.numerics.tensors import Draws


# What a bound of annotated-types requires of a number, and how messages say it.
COMPARISONS = {
    "gt": (operator.gt, "above"),
    "ge": (operator.ge, "at least"),
    "lt": (operator.lt, "below"),
    "le": (operator.le, "at most"),
}


def interval(bound: Gt | Ge | Lt | Le | Interval) -> Interval:
    """Return a bound as an interval, the one form in which the registry keeps bounds."""
    return Interval(**asdict(bound))


def within(value: float, bounds: Interval) -> bool:
    """Return whether a number satisfies its bounds; NaN satisfies none."""
    return all(COMPARISONS[name][0](value, limit) for name, limit in _limits(bounds).items())


def range_text(bounds: Interval) -> str:
    """Return bounds in words: "from 0 to 1", "above 0, at most 1", "at least 1"."""
    limits = _limits(bounds)
    if limits.keys() == {"ge", "le"}:
        return f"from {limits['ge']:g} to {limits['le']:g}"
    return ", ".join(f"{COMPARISONS[name][1]} {limit:g}" for name, limit in limits.items())


def _limits(bounds: Interval) -> dict[str, float]:
    return {name: limit for name, limit in asdict(bounds).items() if limit is not None}


PositiveInt = Annotated[int, Ge(1)]
NonNegativeInt = Annotated[int, Ge(0)]
PositiveFloat = Annotated[float, Gt(0)]
NonNegativeFloat = Annotated[float, Ge(0)]
UnitInterval = Annotated[float, Interval(ge=0, le=1)]

Model = Callable[["Tensor"], "Tensor"]  # images (N, C, H, W) in [0, 1] -> logits (N, K), or images
# (model, images, labels, generator) -> images; it may be called under torch.no_grad(), so it enables gradients itself
Attack = Callable[["Model", "Tensor", "Tensor", "Draws"], "Tensor"]

Architecture = Callable[..., "nn.Module"]  # (input_shape, classes) -> a classifier; (input_shape) -> a translator

# A keyword-only parameter with one of these annotations is a nested block with its own `use:` from that folder.
NESTED = {"Attack": "attacks", "Architecture": "models"}

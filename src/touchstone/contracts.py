"""The types that component signatures are written in: bounded numbers, and the call shapes of components.

The registry reads signatures without importing them, so a bound stated here is checked before any job starts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

if TYPE_CHECKING:
    from torch import Tensor, nn

    from touchstone.numerics.tensors import Draws


@dataclass(frozen=True)
class Bounds:
    """The closed range of a number; `above` excludes the lower end."""

    low: float | None = None
    high: float | None = None
    above: float | None = None

    def hold(self, value: float) -> bool:
        """Return whether `value` lies in the range; NaN never does."""
        return (
            (self.low is None or value >= self.low)
            and (self.high is None or value <= self.high)
            and (self.above is None or value > self.above)
            and value == value
        )

    def __str__(self) -> str:
        if self.low is not None and self.high is not None:
            return f"from {self.low:g} to {self.high:g}"
        if self.above is not None:
            return f"above {self.above:g}" + (f", at most {self.high:g}" if self.high is not None else "")
        return f"at least {self.low:g}"


PositiveInt = Annotated[int, Bounds(low=1)]
NonNegativeInt = Annotated[int, Bounds(low=0)]
PositiveFloat = Annotated[float, Bounds(above=0)]
NonNegativeFloat = Annotated[float, Bounds(low=0)]
UnitInterval = Annotated[float, Bounds(low=0, high=1)]

Model = Callable[["Tensor"], "Tensor"]  # images (N, C, H, W) in [0, 1] -> logits (N, K), or images
# (model, images, labels, generator) -> images; it may be called under torch.no_grad(), so it enables gradients itself
Attack = Callable[["Model", "Tensor", "Tensor", "Draws"], "Tensor"]
Margin = Callable[["Model", "Tensor", "Tensor", "Draws"], "tuple[Tensor, Tensor]"]  # -> margins (N,), found (N,)

Architecture = Callable[..., "nn.Module"]  # (input_shape, classes) -> a classifier; (input_shape) -> a translator

# A keyword-only parameter with one of these annotations is a nested block with its own `use:` from that folder.
NESTED = {"Attack": "attacks", "Architecture": "models"}

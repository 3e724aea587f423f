"""The types of component signatures: numbers with bounds, and the call shapes of models, attacks and architectures.

The registry reads signatures without importing them, so settings are checked against these bounds before any job starts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Gt, Interval

if TYPE_CHECKING:
    from torch import Tensor, nn

    from touchstone.numerics.tensors import RandomStreams

PositiveInt = Annotated[int, Ge(1)]
NonNegativeInt = Annotated[int, Ge(0)]
PositiveFloat = Annotated[float, Gt(0)]
NonNegativeFloat = Annotated[float, Ge(0)]
UnitInterval = Annotated[float, Interval(ge=0, le=1)]
Severity = Annotated[int, Interval(ge=1, le=5)]  # of a common corruption
Digest = str  # sha256: and 64 hexadecimal digits

Model = Callable[["Tensor"], "Tensor"]  # images (N, C, H, W) in [0, 1] -> logits (N, K), or images
# (model, images, labels, generator) -> images. It may be called under torch.no_grad(), so it enables gradients itself.
Attack = Callable[["Model", "Tensor", "Tensor", "RandomStreams"], "Tensor"]

Architecture = Callable[..., "nn.Module"]  # (input_shape, classes) -> a classifier; (input_shape) -> a translator

# A setting with one of these types is a nested block, whose own `use:` names a component of that folder.
NESTED = {"Attack": "attacks", "Architecture": "models"}

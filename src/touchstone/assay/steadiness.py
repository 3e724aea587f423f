"""Whether a model returns the same logits for an image each time, and whatever other images are in its batch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from touchstone.api import gate

SAME = 1e-3  # of the lead of the largest logit: rounding changes less


def check_steady(model: Callable[[Tensor], Tensor], images: Tensor, logits: Tensor) -> None:
    """Raise ValueError for a model whose logits depend on chance or on the other images of a batch."""
    with torch.no_grad():
        single = torch.cat([model(row[None]) for row in images])
    if varies(model, images, logits):
        raise ValueError(
            "the model returns other logits each time: dropout or other noise is on, as in training. Call model.eval()"
            " before it is saved or exported. If it is a defence that draws random numbers: --draws 20"
        )
    if gate.differ(logits, single, SAME):
        raise ValueError(
            "the model's logits for an image depend on the other images of the batch: it is in train mode, with batch"
            " statistics. Call model.eval() before it is saved or exported"
        )


def varies(model: Callable[[Tensor], Tensor], images: Tensor, logits: Tensor) -> bool:
    """Return whether a second call returns other logits."""
    with torch.no_grad():
        return gate.differ(logits, model(images), SAME)

"""Several networks of one architecture whose probabilities are averaged."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from touchstone.contracts import Architecture, PositiveInt


def ensemble(
    input_shape: tuple[int, int, int], classes: int, *, member: Architecture, members: PositiveInt = 5
) -> nn.Module:
    """Return the log of the mean softmax of several networks.

    These log-probabilities serve as logits. The members differ in their initial weights. `member_wise` trains each as
    if it were the only one. The first member then equals the network that its architecture gives under the same seed.

    References:
        Goodfellow et al. 2015, section 9. The paper does not state its rule; averaging probabilities is our reading
        (docs/papers/fgsm.md, Known traps).
    """
    return _Ensemble([member(input_shape, classes) for _ in range(members)])


class _Ensemble(nn.Module):
    def __init__(self, members: list[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, images: Tensor) -> Tensor:
        log_probabilities = torch.stack([member(images).log_softmax(1) for member in self.members])
        return log_probabilities.logsumexp(0) - math.log(len(self.members))

"""Training of networks whose classes have probabilities of their own that need not sum to one."""

from __future__ import annotations

import torch
from torch import Tensor

from touchstone.contracts import Model
from touchstone.numerics.tensors import Draws


def one_versus_rest(model: Model, images: Tensor, labels: Tensor, generator: Draws) -> Tensor:
    """Return the mean of -log p_label - sum over other classes of log(1 - p), p = exp(logits); without settings.

    For shallow_rbf, whose logits are log-probabilities at most 0: under softmax cross-entropy only their differences
    would be trained, and its confidence exp(logit) would mean nothing. ValueError for logits above 0. Ours: the paper
    names no loss for its RBF network (papers.md 4.g item 5).
    """
    log_probabilities = model(images)
    if bool((log_probabilities > 0).any()):
        raise ValueError("one_versus_rest needs log-probabilities at most 0, such as those of shallow_rbf")
    own = log_probabilities.gather(1, labels[:, None])[:, 0]
    # log(1 - p); the bound keeps the gradient finite at p = 1.
    against = torch.log(-torch.expm1(log_probabilities.clamp(max=-1e-6)))
    others = against.sum(1) - against.gather(1, labels[:, None])[:, 0]
    return -(own + others).mean()

"""Training of networks whose class probabilities need not sum to one."""

from __future__ import annotations

import torch
from torch import Tensor

from touchstone.contracts import Model
from touchstone.numerics.tensors import RandomStreams


def one_versus_rest(model: Model, images: Tensor, labels: Tensor, generator: RandomStreams) -> Tensor:
    """Return the mean of -log p_label - sum over other classes of log(1 - p).

    Here p = exp(logits). It is for shallow_rbf and sigmoid_top, whose logits are log-probabilities at most 0. Softmax
    cross-entropy would train only their differences, and the confidence exp(logit) would mean nothing. The loss is ours,
    because the paper names none for its RBF network (docs/papers/fgsm.md, "Deviations").

    Raises:
        ValueError: a logit is above 0.
    """
    log_probabilities = model(images)
    if bool((log_probabilities > 0).any()):
        raise ValueError("one_versus_rest needs log-probabilities at most 0, such as those of shallow_rbf")
    own = log_probabilities.gather(1, labels[:, None])[:, 0]
    # log(1 - p); the bound keeps the gradient finite at p = 1.
    against = torch.log(-torch.expm1(log_probabilities.clamp(max=-1e-6)))
    others = against.sum(1) - against.gather(1, labels[:, None])[:, 0]
    return -(own + others).mean()

"""Training of networks whose class probabilities need not sum to one."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from touchstone.contracts import Model
from touchstone.numerics.tensors import RandomStreams


def one_versus_rest(model: Model, images: Tensor, labels: Tensor, generator: RandomStreams) -> Tensor:
    """Return the mean of -log p_label - sum over other classes of log(1 - p).

    Here p = exp(logits). It is for shallow_rbf, whose logits are log-probabilities at most 0. Softmax cross-entropy would
    train only their differences, and the confidence exp(logit) would mean nothing. The loss is ours, because the paper names
    none for its RBF network (docs/papers/fgsm.md, "Deviations").

    Raises:
        ValueError: a logit is above 0.
    """
    log_probabilities = model(images)
    if bool((log_probabilities > 0).any()):
        raise ValueError("one_versus_rest needs log-probabilities at most 0, such as those of shallow_rbf")
    own = log_probabilities.gather(1, labels[:, None])[:, 0]
    others = _log_of_rest(log_probabilities).scatter(1, labels[:, None], 0.0).sum(1)
    return -(own + others).mean()


def _log_of_rest(log_probabilities: Tensor) -> Tensor:
    """Return log(1 - p) of each log p <= 0, with a finite gradient, which does not vanish at p near 1.

    Near 1, 1 / log p is the gradient. Behind a sigmoid it is multiplied by 1 - p, and the product is -p: a class that is
    confidently wrong is pushed down with full force. So nothing is cut off before log p is no longer a normal number,
    at z = 87 in float32. From there on the value is that of the smallest one, and the gradient passes.
    """
    smallest = torch.finfo(log_probabilities.dtype).tiny
    beyond = log_probabilities > -smallest
    bounded = torch.where(beyond, log_probabilities - log_probabilities.detach() - smallest, log_probabilities)
    # Each form is exact on its side of p = 1/2. Each sees a harmless -1 on the other, where its gradient may be infinite.
    likely = bounded > -math.log(2)
    above = torch.log(-torch.expm1(bounded.where(likely, -1.0)))
    below = torch.log1p(-torch.exp(bounded.where(~likely, -1.0)))
    return torch.where(likely, above, below)

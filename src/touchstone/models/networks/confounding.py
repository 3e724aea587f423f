"""Confounding labels (no class, all, or several), their losses and gradient norms."""

from __future__ import annotations

from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from touchstone.numerics.gradient_norms import gradient_norms
from touchstone.numerics.tensors import derive

Variant = Literal["softmax", "sigmoid"]


def confounding_labels(classes: int, ones: int | None = None, draws: int | None = None, seed: int = 0) -> Tensor:
    """Return float32 multi-hot labels (D, K), each with `ones` ones.

    Args:
        classes: number of classes K.
        ones: number of ones; None means all classes. 1 is not allowed, because that is an ordinary label.
        draws: number of labels to draw from `seed`, independently. None gives one label, the first `ones` classes. If
            only one label exists (ones is 0 or K), one is returned in any case.
        seed: of the draws.

    Raises:
        ValueError: `ones` is 1 or outside 0..K.

    References:
        docs/papers/gradient_detection.md, "Confounding labels and losses".
    """
    ones = classes if ones is None else ones
    if ones == 1 or not 0 <= ones <= classes:
        raise ValueError(f"ones must be 0 or from 2 to {classes} (1 is an ordinary label), got {ones}")
    if draws is None or ones in (0, classes):
        return (torch.arange(classes) < ones).float()[None]
    generator = torch.Generator().manual_seed(derive(seed, "confounding"))
    places = torch.stack([torch.randperm(classes, generator=generator) for _ in range(draws)])
    return (places < ones).float()


def confounding_loss(logits: Tensor, label: Tensor, *, variant: Variant) -> Tensor:
    """Return -sum_i [y_i log q_i + (1 - y_i) log(1 - q_i)] per row, (N,), at least 0.

    It is a sum over classes and never clamped: a clamped logarithm, as in the library's cross-entropy, has no gradient for
    confident rows.

    Args:
        logits: (N, K).
        label: (K,) or (N, K) of zeros and ones.
        variant: q is the softmax (A) or the sigmoid (B) of the logits.

    References:
        docs/papers/gradient_detection.md, "Confounding labels and losses" and "Known traps".
    """
    label = label.to(logits)
    if variant == "sigmoid":
        return -(label * functional.logsigmoid(logits) + (1 - label) * functional.logsigmoid(-logits)).sum(1)
    log_probabilities = functional.log_softmax(logits, dim=1)
    if bool(label.all()):
        return -log_probabilities.sum(1)
    return -(label * log_probabilities + (1 - label) * _log_of_the_others(logits, log_probabilities)).sum(1)


def _log_of_the_others(logits: Tensor, log_probabilities: Tensor) -> Tensor:
    """Return log(1 - softmax), (N, K), without cancellation on confident rows."""
    top = functional.one_hot(logits.argmax(1), logits.shape[1]).bool()
    others = torch.logsumexp(logits.masked_fill(top, -torch.inf), dim=1) - torch.logsumexp(logits, dim=1)
    # Below the top class a probability is at most a half, and log1p is exact.
    rest = torch.log1p(-log_probabilities.exp().masked_fill(top, 0))
    return torch.where(top, others[:, None], rest)


def predicted_loss(logits: Tensor, *, variant: Variant) -> Tensor:
    """Return `confounding_loss` with the class that each row predicts as its only one, (N,): an ordinary label."""
    return confounding_loss(logits, functional.one_hot(logits.argmax(1), logits.shape[1]), variant=variant)


def confounding_norms(
    model: nn.Module, images: Tensor, labels: Tensor | None, *, variant: Variant, create_graph: bool = False
) -> Tensor:
    """Return the gradient norms of the confounding loss, averaged over the labels.

    Args:
        model: images in [0, 1] to logits (N, K).
        images: (N, C, H, W) in [0, 1].
        labels: (D, K) of zeros and ones; None for the class that the network predicts, as a control.
        variant: of `confounding_loss`.
        create_graph: make the result differentiable in `images`.

    Returns:
        (N, P), at least 0, with the columns of `gradient_norms.parameter_names`.
    """
    if labels is None:
        return gradient_norms(model, images, partial(predicted_loss, variant=variant), create_graph=create_graph)
    losses = [partial(confounding_loss, label=label, variant=variant) for label in labels]
    return torch.stack([gradient_norms(model, images, loss, create_graph=create_graph) for loss in losses]).mean(0)

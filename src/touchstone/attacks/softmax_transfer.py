"""The ALOE paper's own attack on detectors: on the network's softmax, whatever detector is deployed."""

from __future__ import annotations

import torch
from torch import Tensor

from touchstone.adversary.ascent import ascend
from touchstone.adversary.goals import Goal
from touchstone.adversary.losses import entropy, outlier_exposure
from touchstone.adversary.perturbations import Ball, check_images, resolve_step_size
from touchstone.contracts import Model, PositiveFloat, PositiveInt, UnitInterval
from touchstone.numerics.tensors import Draws, frozen


def softmax_transfer(
    model: Model,
    images: Tensor,
    in_distribution: Tensor,
    generator: Draws,
    *,
    eps: UnitInterval = 1 / 255,
    steps: PositiveInt = 10,
    step_size: PositiveFloat | None = None,
) -> Tensor:
    """Return, per image, the best point of one PGD run on the softmax alone: a transfer attack, weaker than score_pgd.

    Images in distribution, in_distribution (N,) bool, lower logsumexp(z) - mean(z) and so look unsure; the others lower
    the entropy of the softmax and so look sure. ODIN's step, feature distances and the score itself are not seen, so
    what a detector keeps under it is an upper bound of its robustness. Uniform float start, the best iterate by the
    attack's own loss, where the official code keeps the last one and truncates to 8 bits (papers.md 2.g).
    Chen et al. 2020 (ALOE); papers.md 2.b.
    """
    check_images(images)
    if in_distribution.dtype != torch.bool or in_distribution.shape != images.shape[:1]:
        actual = f"{in_distribution.dtype} {tuple(in_distribution.shape)}"
        raise ValueError(f"in_distribution is {actual}, expected bool ({len(images)},)")
    ball = Ball(images, eps)
    size = resolve_step_size(step_size, eps, steps)
    with frozen(model), torch.no_grad():
        goal = Goal(in_distribution, _wrong_confidence)
        start, value = ball.random(generator), goal(model(images))
        return ascend(model, goal, ball, start, images, value, steps=steps, step_size=size)[0]


def _wrong_confidence(logits: Tensor, in_distribution: Tensor) -> Tensor:
    return -torch.where(in_distribution, outlier_exposure(logits), entropy(logits))

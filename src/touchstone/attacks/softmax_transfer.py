"""An attack on the softmax, whatever detector is deployed: the ALOE paper's on MSP and ODIN."""

from __future__ import annotations

import torch
from torch import Tensor

from touchstone.attacks.adversary.ascent import ascend
from touchstone.attacks.adversary.goals import Goal
from touchstone.attacks.adversary.losses import entropy, outlier_exposure
from touchstone.attacks.adversary.perturbations import Ball, check_images, resolve_step_size
from touchstone.contracts import Model, PositiveFloat, PositiveInt, UnitInterval
from touchstone.numerics.tensors import RandomStreams, frozen


def softmax_transfer(
    model: Model,
    images: Tensor,
    in_distribution: Tensor,
    generator: RandomStreams,
    *,
    eps: UnitInterval = 1 / 255,
    steps: PositiveInt = 10,
    step_size: PositiveFloat | None = None,
) -> Tensor:
    """Attack only the network's softmax, so that it transfers to any detector.

    Images in distribution lower logsumexp(z) - mean(z), which makes them look unsure. The others lower the entropy of
    the softmax, which makes them look sure. The attack does not see ODIN's step, feature distances or the score itself.
    So a detector's result under it is only an upper bound of its robustness; `score_pgd` is stronger. The paper attacks
    Mahalanobis otherwise, through its regression: that is `score_pgd` on `layered_mahalanobis`, whose score is the logit.

    Args:
        model: images in [0, 1] to logits (N, K).
        images: (N, C, H, W) in [0, 1].
        in_distribution: (N,) bool.
        generator: random streams of the images, for the uniform start.
        eps: L-inf radius in pixel units.
        steps: gradient steps.
        step_size: length of a step; None means 2.5 * eps / steps.

    Returns:
        (N, C, H, W) in [0, 1]: per image, the best point of one run by the attack's own loss.

    Raises:
        ValueError: `in_distribution` is not bool of shape (N,).

    References:
        Chen et al. 2020 (ALOE); docs/papers/aloe.md, "Evaluation attacks". The official code keeps the last point and
        truncates to 8 bits (same page, "Known traps"); here the best point is kept, in floats.
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

"""The attacks that an evasion rate needs, one after the other."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from touchstone.attacks.adversary.defences import Guarded
from touchstone.attacks.adversary.evasion import Direction, Observation
from touchstone.attacks.adversary.losses import cross_entropy, margin_loss
from touchstone.attacks.adversary.lowest_scores import lower_scores, lowest_of, rank_at, selective
from touchstone.attacks.adversary.perturbations import Ball
from touchstone.attacks.adversary.surrogates import Followed, search_ranks, smooth_guard
from touchstone.contracts import NonNegativeFloat, NonNegativeInt, PositiveInt, UnitInterval
from touchstone.numerics.tensors import RandomStreams, frozen, per_row

_TARGETS = 2  # classes that the targeted runs aim for


def evasion_suite(
    defence: Guarded,
    images: Tensor,
    labels: Tensor,
    generator: RandomStreams,
    *,
    eps: UnitInterval = 0.1,
    steps: PositiveInt = 20,
    restarts: PositiveInt = 5,
    weights: list[NonNegativeFloat] = [0.3, 1.0],  # noqa: B006 - read as a setting, never changed
    queries: NonNegativeInt = 200,
) -> Tensor:
    """Look for the misclassified point with the lowest score, by different attacks.

    Selective PGD on the cross-entropy goes first, from `restarts` starts. Then, from the image itself, the class and the
    score are attacked at once: with each weight, once by the cross-entropy and once by the margin. Both gradients are
    scaled to the same length first, so that a weight means the same for every network and detector.

    Each member finds points that the others miss: selective PGD where being wrong is hard, the weighted sums where the
    score is hard to lower. These members take (restarts + 2 * weights) * (steps + 1) + 8 forward passes per image, and at
    most (restarts + 2 * weights) * steps gradients of the class and of the score each. An image needs only one of the two
    gradients for a step of selective PGD; a batch takes both if its images differ.

    Images that are still right or flagged get more: runs that follow the gradients of a network with softplus instead of
    ReLU, runs towards their likeliest wrong classes, and a search with squares, which needs no gradients.

    Because the lowest score counts, the points serve every threshold. But images that are past the threshold of `defence`
    do not get the further runs, which might lower their scores more. So rates at stricter thresholds, such as the
    evasion rate where half of the clean images are flagged, may be too low.

    Args:
        defence: the classifier behind a detector.
        images: (N, C, H, W) in [0, 1].
        labels: (N,) int64, the true classes.
        generator: random streams of the images, for the starts.
        eps: L-inf radius in pixel units.
        steps: gradient steps per start.
        restarts: starts of selective PGD; the first is the image itself.
        weights: of the score against the class, each is tried.
        queries: forward passes of the search with squares; 0 leaves it out.

    Returns:
        (N, C, H, W) in [0, 1]: per image, the best point of all members by `lowest_scores.rank`.

    References:
        Bryniarski et al. 2021, section 4.1, for selective PGD; docs/papers/shared.md, "Adaptive attacks".
    """
    ball = Ball(images, eps)
    return lowest_within(
        ball, defence, labels, generator, steps=steps, restarts=restarts, weights=weights, queries=queries
    )


def lowest_within(
    ball: Ball,
    defence: Guarded,
    labels: Tensor,
    generator: RandomStreams,
    *,
    steps: int,
    restarts: int,
    weights: list[float],
    queries: int,
) -> Tensor:
    """Look for the misclassified point with the lowest score among those that a ball stores, as `evasion_suite` does.

    Args:
        ball: the points that each row may reach.
        defence: the classifier behind a detector.
        labels: (N,) int64, the true classes.
        generator: random streams of the images, for the starts.
        steps: gradient steps per start.
        restarts: starts of selective PGD; the first is the image itself.
        weights: of the score against the class, each is tried.
        queries: forward passes of the search with squares; 0 leaves it out.

    Returns:
        (N, C, H, W) in [0, 1]: per image, the best point of all members by `lowest_scores.rank`.
    """
    images = ball.images
    follow = partial(lower_scores, defence, ball, labels, generator, steps=steps)
    both: list[Direction] = [partial(_both, weight=weight) for weight in weights]
    members = [
        follow([selective], restarts=restarts),
        follow(both, loss=cross_entropy),
        follow(both, loss=margin_loss),
    ]
    with frozen(defence.model):
        best = lowest_of(defence, images, labels, members)
        rows = torch.nonzero(rank_at(defence, best, labels) < 1)[:, 0]
        if len(rows):
            part = (ball.take(rows), labels[rows], generator.take(rows))
            more = _hard_images(defence, *part, best[rows], both, steps=steps, queries=queries)
            best = best.index_copy(0, rows, more)
    return best


def _hard_images(
    defence: Guarded,
    ball: Ball,
    labels: Tensor,
    generator: RandomStreams,
    best: Tensor,
    both: list[Direction],
    *,
    steps: int,
    queries: int,
) -> Tensor:
    """Return better points than the best ones of images that the first members did not bring past."""
    candidates = [best]
    smooth = smooth_guard(defence)
    if smooth is not None:
        followed = Followed(defence, smooth)
        candidates.append(lower_scores(followed, ball, labels, generator, [selective, *both], steps=steps))
    with torch.no_grad():
        logits = defence.read(best)[0]  # not those of the network: a planted problem has a readout of its own
    wrong = logits.scatter(1, labels[:, None], -torch.inf).argsort(1, descending=True)
    for target in wrong[:, : min(_TARGETS, wrong.shape[1] - 1)].unbind(1):
        towards = partial(_lead_of, target)
        candidates.append(lower_scores(defence, ball, labels, generator, both, steps=steps, loss=towards))
    best = lowest_of(defence, ball.images, labels, candidates)
    if queries == 0:
        return best
    searched = search_ranks(defence, ball, labels, generator, best, queries=queries)
    return lowest_of(defence, ball.images, labels, [best, ball.stored(searched)])


def _lead_of(target: Tensor, logits: Tensor, labels: Tensor) -> Tensor:
    """Return by how much the logits of `target` exceed those of the labels, (N,)."""
    return (logits.gather(1, target[:, None]) - logits.gather(1, labels[:, None])).squeeze(1)


def _both(observation: Observation, weight: float) -> Tensor:
    return _unit(observation.class_gradient) - weight * _unit(observation.score_gradient)


def _unit(gradient: Tensor) -> Tensor:
    """Return a gradient scaled to an L1 norm of 1 per row; zero stays zero."""
    return gradient / per_row(gradient.flatten(1).abs().sum(1).clamp_min(1e-30), gradient)

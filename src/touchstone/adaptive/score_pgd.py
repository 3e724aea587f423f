"""PGD on the deployed score of a detector: images with a class are made to look anomalous, the others to look normal."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from touchstone.adaptive._surrogates import leaky_gradients
from touchstone.adversary.defences import Guarded
from touchstone.adversary.evasion import is_flat
from touchstone.adversary.losses import keep_higher, loss_and_input_gradient, loss_at, margin_loss
from touchstone.adversary.perturbations import Ball, resolve_step_size
from touchstone.contracts import NonNegativeInt, PositiveFloat, PositiveInt, UnitInterval
from touchstone.numerics.tensors import Draws, frozen, per_row

Aim = Callable[[Tensor], Tensor]  # images (N, C, H, W) -> what to raise, (N,)


def score_pgd(
    defence: Guarded,
    images: Tensor,
    in_distribution: Tensor,
    generator: Draws,
    *,
    eps: UnitInterval = 0.05,
    steps: PositiveInt = 40,
    step_size: PositiveFloat | None = None,
    restarts: PositiveInt = 5,
    imitations: NonNegativeInt = 4,
    every_class: bool = False,
) -> Tensor:
    """Return, per image, the point met within `eps` whose score is farthest on the wrong side: highest where the image
    is in distribution, lowest where it is not; the image itself where nothing is farther.

    defence: its score is what is climbed, end to end: through ODIN's own step, through features and gradient norms.
    in_distribution (N,) bool. Climbs start at the image, at `restarts` - 1 uniform points, and at `imitations` points
    nearest to the mean clean image of a class (`typical` of images) or to plain black, grey or white: those whose score
    is farthest on the wrong side. Outlier exposure
    switches whole layers off on images that are no digits: there the score is flat, and only from where the layers are
    on does a gradient lead on. Where it is exactly 0 all the same, that of surrogates.leaky_gradients takes its place.
    `every_class` also climbs, for images out of distribution, towards each class in turn (up its logit margin) from
    the image and the uniform points, the best point still chosen by the score: the way to a high confidence that the
    score's own gradient may not see.

    Steps shrink linearly to 0, their mean is step_size, which None makes 2.5 * eps / steps: with steps of one length
    the score of an image between two classes, whose optimum is where they tie, would only be circled. Costs, per
    image, (restarts * (1 + classes, if every_class) + imitations) * steps gradients, twice as many while the score is
    flat, and classes + 3 looks at the score to choose. L-inf. papers.md 2.g items 8, 9 and 12, 2.i item 6, and 6.4.
    """
    size = resolve_step_size(step_size, eps, steps)
    ball = Ball(images, eps)
    sign = torch.where(in_distribution, 1.0, -1.0).to(images.dtype)

    def wrongness(points: Tensor) -> Tensor:
        return sign * defence.read(points)[1]

    def starts(imitate: int) -> Iterator[Tensor]:
        yield images
        for _ in range(restarts - 1):
            yield ball.random(generator)
        yield from _imitations(defence, ball, wrongness, imitate)

    with frozen(defence.model):
        best, best_value = images, loss_at(wrongness, images)
        for aim in _aims(defence, images, wrongness, in_distribution, every_class):
            for points in starts(imitations if aim is wrongness else 0):
                for step in range(steps):
                    value, gradient = _climb(defence, aim, points)
                    if aim is not wrongness:
                        value = loss_at(wrongness, points)
                    best, best_value = keep_higher(best, best_value, points, value)
                    points = ball.step(points, gradient, 2 * size * (1 - step / steps))
                best, best_value = keep_higher(best, best_value, points, loss_at(wrongness, points))
    return best


def _imitations(defence: Guarded, ball: Ball, wrongness: Aim, count: int) -> Iterator[Tensor]:
    """Yield `count` starts, the best first for each image: the points of the ball nearest to a prototype."""
    prototypes = _prototypes(defence, ball.images)

    def towards(prototype: Tensor) -> Tensor:
        return ball.project(ball.images + (prototype - ball.images).clamp(-ball.eps, ball.eps))

    if count > 0:
        values = torch.stack([loss_at(wrongness, towards(prototype)) for prototype in prototypes])
        for rows in values.topk(min(count, len(prototypes)), dim=0).indices:
            yield towards(prototypes[rows])


def _prototypes(defence: Guarded, images: Tensor) -> Tensor:
    """Return what images may be moved to, (P, C, H, W): the means of the classes where known, and three greys."""
    greys = (
        torch.linspace(0, 1, 3, dtype=images.dtype, device=images.device).view(3, 1, 1, 1).expand(3, *images.shape[1:])
    )
    if "images" not in defence.typical:
        return greys
    return torch.cat([defence.typical["images"][0].to(images).view(-1, *images.shape[1:]), greys])


def _climb(defence: Guarded, aim: Aim, points: Tensor) -> tuple[Tensor, Tensor]:
    """Return what is climbed, (N,), and the way up; where it is flat, the way that switched-off units would show."""
    value, gradient = loss_and_input_gradient(aim, points)
    flat = is_flat(gradient)
    if bool(flat.any()):
        with leaky_gradients(defence.model):
            gradient = torch.where(per_row(flat, points), loss_and_input_gradient(aim, points)[1], gradient)
    return value, gradient


def _aims(
    defence: Guarded, images: Tensor, wrongness: Aim, in_distribution: Tensor, every_class: bool
) -> Iterator[Aim]:
    """Yield what to climb, one after the other: the score, and the margin of each class if those are asked for."""
    yield wrongness
    if every_class and not bool(in_distribution.all()):
        for label in range(defence.model(images[:1]).shape[1]):
            yield _towards(defence, torch.full((len(images),), label, device=images.device))


def _towards(defence: Guarded, targets: Tensor) -> Aim:
    return lambda points: -margin_loss(defence.model(points), targets)

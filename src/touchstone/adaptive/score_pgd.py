"""PGD on the deployed score of a detector: images with a class are made to look anomalous, the others to look normal."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from touchstone.contracts import PositiveFloat, PositiveInt, UnitInterval
from touchstone.defences import Guarded
from touchstone.losses import keep_higher, loss_and_input_gradient, loss_at, margin_loss
from touchstone.perturbations import Ball
from touchstone.tensors import Draws, frozen

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
    every_class: bool = False,
) -> Tensor:
    """Return, per image, the point met within `eps` whose score is farthest on the wrong side: highest where the image
    is in distribution, lowest where it is not; the image itself where nothing is farther.

    defence: its score is what is climbed, end to end: through ODIN's own step, through features and gradient norms.
    in_distribution (N,) bool. `every_class` also runs, for images out of distribution, towards each class in turn (up
    its logit margin), the best point still chosen by the score: the way to a high confidence that the score's own
    gradient may not see. The first restart starts at the image. Steps shrink linearly to 0, their mean is step_size,
    which None makes 2.5 * eps / steps: with steps of one length the score of an image between two classes, whose
    optimum is where they tie, would only be circled. L-inf. papers.md 2.g items 8, 9 and 12, and 2.i item 6.
    """
    size = 2.5 * eps / steps if step_size is None else step_size
    ball = Ball(images, eps)
    sign = torch.where(in_distribution, 1.0, -1.0).to(images.dtype)

    def wrongness(points: Tensor) -> Tensor:
        return sign * defence.read(points)[1]

    with frozen(defence.model):
        best, best_value = images, loss_at(wrongness, images)
        for aim in _aims(defence, images, wrongness, in_distribution, every_class):
            for restart in range(restarts):
                points = images if restart == 0 else ball.random(generator)
                for step in range(steps):
                    value, gradient = loss_and_input_gradient(aim, points)
                    if aim is not wrongness:
                        value = loss_at(wrongness, points)
                    best, best_value = keep_higher(best, best_value, points, value)
                    points = ball.step(points, gradient, 2 * size * (1 - step / steps))
                best, best_value = keep_higher(best, best_value, points, loss_at(wrongness, points))
    return best


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

"""PGD on the deployed score: known images look anomalous, others normal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from touchstone.attacks.adaptive._surrogates import leaky_gradients
from touchstone.attacks.adversary.defences import Guarded
from touchstone.attacks.adversary.evasion import is_flat, slope_of
from touchstone.attacks.adversary.losses import keep_higher, loss_at, margin_loss
from touchstone.attacks.adversary.perturbations import Ball, resolve_step_size
from touchstone.contracts import NonNegativeInt, PositiveFloat, PositiveInt, UnitInterval
from touchstone.numerics.tensors import RandomStreams, frozen


def score_pgd(
    defence: Guarded,
    images: Tensor,
    in_distribution: Tensor,
    generator: RandomStreams,
    *,
    eps: UnitInterval = 0.05,
    steps: PositiveInt = 40,
    step_size: PositiveFloat | None = None,
    restarts: PositiveInt = 5,
    imitations: NonNegativeInt = 4,
    every_class: bool = False,
) -> Tensor:
    """Move the score of each image to the wrong side, end to end.

    The score is attacked through everything that it computes, such as ODIN's step, features and gradient norms.

    Starts are the image, `restarts` - 1 uniform points, and `imitations` points: those nearest to the mean clean image of
    a class (from `defence.typical`) or to plain black, grey or white whose score is farthest on the wrong side. Outlier
    exposure switches whole layers off on unfamiliar images. There the score is flat, and a gradient leads on only from
    points where the layers are on. If the gradient is exactly 0 anyway, `_surrogates.leaky_gradients` replaces it.

    Steps shrink linearly to 0. Steps of one length would only circle the optimum of an image between two classes, which is
    where they tie.

    Cost per image: (restarts * (1 + classes, if every_class) + imitations) * steps gradients, twice as many for an
    image whose score is flat, and classes + 3 scores to choose the imitations.

    Args:
        defence: the classifier behind a detector.
        images: (N, C, H, W) in [0, 1].
        in_distribution: (N,) bool; True raises the score, False lowers it.
        generator: random streams of the images, for the starts.
        eps: L-inf radius in pixel units.
        steps: gradient steps per start.
        step_size: length of the middle step, as they shrink to 0; None means 2.5 * eps / steps.
        restarts: starts at the image and at uniform points.
        imitations: further starts at imitations.
        every_class: also raise the logit margin of each class in turn, for images out of distribution, from the image and
            the uniform points. It leads to high confidences that the score's own gradient may not see. The best point is
            still chosen by the score.

    Returns:
        (N, C, H, W) in [0, 1]: per image, the point whose score is farthest on the wrong side; the image itself if none
        is farther.

    References:
        docs/papers/aloe.md, "Known traps" 6 and 8 to 10, and "How it is tested"; docs/papers/shared.md, "Adaptive attacks".
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
        for aim in _aims(defence, images, sign, in_distribution, every_class):
            # The classes are only for images out of distribution, whatever else is in the batch.
            counts = torch.ones_like(in_distribution) if aim.label is None else ~in_distribution
            for points in starts(imitations if aim.label is None else 0):
                for step in range(steps):
                    scores, gradient = _climb(defence, aim, points)
                    best, best_value = keep_higher(best, best_value, points, (sign * scores).where(counts, -torch.inf))
                    points = ball.step(points, gradient, 2 * size * (1 - step / steps))
                last = loss_at(wrongness, points).where(counts, -torch.inf)
                best, best_value = keep_higher(best, best_value, points, last)
    return best


@dataclass(frozen=True)
class _Aim:
    """What an attack raises: the score, where `sign` is 1, or lowers, where it is -1; or the lead of the class `label`."""

    sign: Tensor  # (N,)
    label: int | None = None

    def __call__(self, logits: Tensor, scores: Tensor) -> Tensor:
        if self.label is None:
            return self.sign * scores
        return -margin_loss(logits, torch.full((len(logits),), self.label, device=logits.device))

    def take(self, rows: Tensor) -> _Aim:
        return replace(self, sign=self.sign[rows])


def _aims(defence: Guarded, images: Tensor, sign: Tensor, in_distribution: Tensor, every_class: bool) -> Iterator[_Aim]:
    """Yield what to raise: the score, then each class's margin if `every_class`."""
    yield _Aim(sign)
    if every_class and not bool(in_distribution.all()):
        for label in range(defence.model(images[:1]).shape[1]):
            yield _Aim(sign, label)


def _climb(defence: Guarded, aim: _Aim, points: Tensor) -> tuple[Tensor, Tensor]:
    """Return the scores, (N,), and the gradient of what to raise; where it is flat, the leaky one."""
    scores, gradient = _scores_and_gradient(defence, aim, points)
    rows = torch.nonzero(is_flat(gradient))[:, 0]
    if len(rows):
        with leaky_gradients(defence.model):
            leaky = _scores_and_gradient(defence, aim.take(rows), points[rows])[1]
        gradient = gradient.index_copy(0, rows, leaky)
    return scores, gradient


def _scores_and_gradient(defence: Guarded, aim: _Aim, points: Tensor) -> tuple[Tensor, Tensor]:
    points = points.detach().requires_grad_()
    with torch.enable_grad():
        logits, scores = defence.read(points)
        gradient = slope_of(aim(logits, scores).sum(), points)
    return scores.detach(), gradient


def _imitations(defence: Guarded, ball: Ball, wrongness: Callable[[Tensor], Tensor], count: int) -> Iterator[Tensor]:
    """Yield `count` starts, each image's best first: points nearest to a prototype."""
    prototypes = _prototypes(defence, ball.images)

    def towards(prototype: Tensor) -> Tensor:
        return ball.project(ball.images + (prototype - ball.images).clamp(-ball.eps, ball.eps))

    if count > 0:
        values = torch.stack([loss_at(wrongness, towards(prototype)) for prototype in prototypes])
        for rows in values.topk(min(count, len(prototypes)), dim=0).indices:
            yield towards(prototypes[rows])


def _prototypes(defence: Guarded, images: Tensor) -> Tensor:
    """Return the images to imitate, (P, C, H, W): class means if known, three greys."""
    greys = (
        torch.linspace(0, 1, 3, dtype=images.dtype, device=images.device).view(3, 1, 1, 1).expand(3, *images.shape[1:])
    )
    if "images" not in defence.typical:
        return greys
    return torch.cat([defence.typical["images"][0].to(images).view(-1, *images.shape[1:]), greys])

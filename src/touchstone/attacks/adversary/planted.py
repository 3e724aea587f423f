"""Planted problems of the binarisation test: two classes with an adversarial example that is known to exist."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from touchstone.attacks.adversary.defences import Guarded
from touchstone.attacks.adversary.perturbations import Ball
from touchstone.contracts import Model
from touchstone.models.networks.readouts import recorded_features
from touchstone.numerics.tensors import RandomStreams, batches

# (defence, images, labels, generator) -> images: an attack of adaptive/ on a classifier behind a detector.
AdaptiveAttack = Callable[[Guarded, Tensor, Tensor, RandomStreams], Tensor]
GAP = 0.05  # of inner and boundary points, as a share of eps
CHUNK = 250  # images in one pass, so that memory does not grow with the number of points
TRIES = 10  # boundary points of an image that a readout is fitted to, until one is separable
TOLERANCE, ITERATIONS = 0.01, 1000  # of the nearest point of the hull


@dataclass(frozen=True)
class Readout:
    """The linear readout of a planted problem, from features (N, D) to logits (N, 2).

    Class 0 is that of the image and of the inner points, class 1 that of the boundary point.

    Attributes:
        weight: (D,), of unit length.
        threshold: of features @ weight; class 1 is above it.
        scale: of the logits.
    """

    weight: Tensor
    threshold: float
    scale: float

    def __call__(self, features: Tensor) -> Tensor:
        """Return the logits of features, (N, 2)."""
        lead = self.scale * (features @ self.weight - self.threshold)
        return torch.stack([-lead, lead], 1)


class Problem(NamedTuple):
    """The planted problem of one image: its readout, and a point of the ball in class 1."""

    readout: Readout
    solution: Tensor  # (1, C, H, W)


class Planted(nn.Module):
    """A network whose last layer is replaced by the readout of a planted problem: images to logits (N, 2)."""

    def __init__(self, model: Model, readout: Readout) -> None:
        super().__init__()
        self.model, self.readout = model, readout

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits (N, 2) of `images`."""
        return self.readout(logits_and_features(self.model, images)[1])


@dataclass(frozen=True)
class PlantedDefence(Guarded):
    """A guarded classifier that solves a planted problem; the detector still reads the original network.

    Attributes:
        readout: replaces the logits; None keeps them.
        inverted: whether the detector's decision is turned around. Scores and threshold change sign, so an image is
            flagged exactly if the original detector does not flag it, but for ties: a score equal to the threshold is
            flagged by neither.
    """

    readout: Readout | None = None
    inverted: bool = False

    def read(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits (N, 2) of the planted problem and the detector's scores (N,)."""
        with recorded_features(self.model) as recorded:
            logits, scores = super().read(images)
        if self.readout is not None:
            logits = self.readout(recorded[0] if torch.is_grad_enabled() else recorded[0].detach())
        return logits, -scores if self.inverted else scores


def logits_and_features(model: Model, images: Tensor) -> tuple[Tensor, Tensor]:
    """Return logits (N, K) and penultimate features (N, D); the features of a plain function are the pixels."""
    if not isinstance(model, nn.Module):
        return model(images), images.flatten(1)
    with recorded_features(model) as recorded:
        logits = model(images)
    return logits, recorded[0]


def plant(
    model: Model,
    image: Tensor,
    generator: RandomStreams,
    *,
    eps: float,
    inner_points: int,
    closeness: float,
    allowed: Callable[[Tensor], Tensor] | None = None,
    candidates: int = TRIES,
) -> Problem | None:
    """Return the planted problem of one image, None if none can be planted.

    Half of the inner points are uniform within (1 - GAP) eps, half are corners of that ball. So the readout cannot tell the
    boundary point by its distance only, which would make every corner a solution. The boundary point is a random corner of
    the ball. The readout is the hyperplane between the boundary point and the hull of the image and the inner points, of
    largest margin in the features. So the boundary point is an adversarial example by construction. Logits have the range
    that those of the network have on the same points, so that an attack meets the scale that it meets on the network.

    Args:
        model: images in [0, 1] to logits; freeze it before the call.
        image: (1, C, H, W) in [0, 1].
        generator: the random stream of the image.
        eps: L-inf radius in pixel units.
        inner_points: number of inner points besides the image.
        closeness: where the hyperplane is, from 0, in the middle of the margin, to 1, at the boundary point. The closer, the
            harder the problem.
        allowed: which points (N, C, H, W) may be the boundary point, (N,) bool; None allows all.
        candidates: number of corners to choose from.

    References:
        Zimmermann et al. 2022; docs/papers/shared.md, "Binarisation test".
    """
    shape, dtype = image.shape[1:], image.dtype
    with torch.no_grad():
        noise = 2 * generator.uniform((inner_points - inner_points // 2, *shape), dtype)[0] - 1
        uniform = (image + (1 - GAP) * eps * noise).clamp(0, 1)
        inner = torch.cat(
            [image, uniform, random_corners(image, generator, eps=(1 - GAP) * eps, count=inner_points // 2)]
        )
        corners = random_corners(image, generator, eps=eps, count=candidates)
        if allowed is not None:
            corners = corners[torch.cat([allowed(chunk) for (chunk,) in batches(CHUNK, corners)])]
        passes = [logits_and_features(model, chunk) for (chunk,) in batches(CHUNK, inner)]
        logits, features = (torch.cat(parts) for parts in zip(*passes, strict=True))
        for (corner,) in batches(1, corners[:TRIES]):
            boundary_logits, boundary = logits_and_features(model, corner)
            spread = float(torch.cat([logits, boundary_logits]).max() - torch.cat([logits, boundary_logits]).min())
            readout = separating(features, boundary[0], closeness=closeness, spread=spread)
            if readout is not None and _classes(model, readout, torch.cat([image, corner])) == [0, 1]:
                return Problem(readout, corner)
    return None


def random_corners(image: Tensor, generator: RandomStreams, *, eps: float, count: int) -> Tensor:
    """Return random corners of the L-inf ball of one image, clipped to [0, 1], (count, C, H, W)."""
    return Ball(image, eps).project(image + eps * generator.signs((count, *image.shape[1:]), image.dtype)[0])


def _classes(model: Model, readout: Readout, points: Tensor) -> list[int]:
    """Return the class of each point, one pass for each, as an attack on one image sees it."""
    return [int(readout(logits_and_features(model, point)[1]).argmax(1)) for (point,) in batches(1, points)]


def separating(features: Tensor, boundary: Tensor, *, closeness: float, spread: float) -> Readout | None:
    """Return the readout that separates `boundary` from all rows of `features` with the largest margin.

    Its direction leads from the nearest point of the hull of the rows to `boundary` (Frank & Wolfe 1956, with exact line
    search). Logistic regression without a penalty converges to the same direction (Soudry et al. 2018).

    Args:
        features: (N, D).
        boundary: (D,).
        closeness: where the hyperplane is, from 0, in the middle of the margin, to 1, at `boundary`.
        spread: the range of the logits on these points.

    Returns:
        The readout; None if `boundary` is in the hull, up to TOLERANCE, or if `spread` is no positive number.
    """
    rows, target = features.double(), boundary.double()
    nearest = rows[0]
    gap = torch.inf
    for _ in range(ITERATIONS):
        towards = target - nearest
        place = (rows @ towards).argmax()
        move = rows[place] - nearest
        gap = float(towards @ move)
        if gap <= TOLERANCE * float(towards @ towards):
            break
        nearest = nearest + (gap / float(move @ move)) * move if gap < float(move @ move) else rows[place]
    direction = target - nearest
    length = float(direction.norm())
    if not length > 0 or not 0 < spread < torch.inf or gap >= length**2:
        return None
    weight = direction / length
    inner, reached = rows @ weight, float(target @ weight)
    middle = (float(inner.max()) + reached) / 2
    threshold = middle + closeness * (reached - middle)
    widest = max(float((inner - threshold).abs().max()), abs(reached - threshold))
    return Readout(weight.to(features.dtype), threshold, spread / (2 * widest))


def tried(
    problem: Problem,
    attack: Callable[[Tensor, Tensor, RandomStreams], Tensor] | None,
    solves: Callable[[Tensor], Tensor],
    image: Tensor,
    generator: RandomStreams,
    eps: float,
    corners: int,
) -> Tensor:
    """Return the point that solves a planted problem, (1, C, H, W); the image if it was not solved.

    Args:
        problem: the planted problem.
        attack: (image, label, generator) -> points, on the planted problem; None searches at random.
        solves: points (N, C, H, W) to (N,) bool.
        image: (1, C, H, W) in [0, 1].
        generator: the random stream of the image.
        eps: L-inf radius in pixel units.
        corners: random corners to try if there is no attack; 0 returns the planted solution.

    Raises:
        ValueError: the attack moves a pixel by more than `eps`.
    """
    if attack is None:
        return random_search(solves, image, generator, eps=eps, corners=corners) if corners else problem.solution
    points = attack(image, torch.zeros(1, dtype=torch.int64, device=image.device), generator)
    farthest = float((points - image).abs().max())
    if farthest > eps + 1e-6:
        raise ValueError(f"the attack moved a pixel by {farthest:g}, more than eps {eps:g} of the planted problem")
    return points if bool(solves(points)) else image


def random_search(
    solves: Callable[[Tensor], Tensor], image: Tensor, generator: RandomStreams, *, eps: float, corners: int
) -> Tensor:
    """Return the first of random corners of the ball that solves a problem, (1, C, H, W); the image if none does.

    Args:
        solves: points (N, C, H, W) to (N,) bool.
        image: (1, C, H, W) in [0, 1].
        generator: the random stream of the image.
        eps: L-inf radius in pixel units.
        corners: number of corners to try.
    """
    for start in range(0, corners, CHUNK):
        points = random_corners(image, generator, eps=eps, count=min(CHUNK, corners - start))
        solved = torch.nonzero(solves(points))[:, 0]
        if len(solved):
            return points[solved[:1]]
    return image

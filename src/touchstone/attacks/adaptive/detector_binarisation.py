"""The binarisation test of an adaptive attack: does it solve problems that are known to have an unflagged solution?"""

from __future__ import annotations

from dataclasses import fields, replace
from functools import partial

import torch
from torch import Tensor

from touchstone.attacks.adversary.defences import Guarded
from touchstone.attacks.adversary.perturbations import check_inputs
from touchstone.attacks.adversary.planted import AdaptiveAttack, PlantedDefence, plant, tried
from touchstone.contracts import NonNegativeInt, PositiveInt, UnitInterval
from touchstone.numerics.tensors import RandomStreams, batches, frozen


def detector_binarisation(
    defence: Guarded,
    images: Tensor,
    labels: Tensor,
    generator: RandomStreams,
    *,
    eps: UnitInterval = 0.1,
    attack: AdaptiveAttack | None = None,
    corners: NonNegativeInt = 0,
    inverted: bool = False,
    inner_points: PositiveInt = 999,
    closeness: UnitInterval = 0.999,
    candidates: PositiveInt = 100,
) -> Tensor:
    """Run an adaptive attack on planted problems instead of on the classifier.

    As `attacks/binarisation`, but the planted solution is a corner of the ball that the detector does not flag, and only
    unflagged points solve the problem. The detector reads the original network.

    An attack that ignores the detector may pass this test if few points of the ball are flagged. The inverted test turns
    the detector's decision around, so that only points which the detector flags solve the problem. An attack must pass both.

    Args:
        defence: the classifier behind a detector.
        images: (N, C, H, W) in [0, 1].
        labels: (N,) int64; the planted problems have their own.
        generator: random streams of the images.
        eps: L-inf radius in pixel units, that of `attack`.
        attack: the attack under test; None searches at random.
        corners: random corners of the ball to try if there is no attack. With 0, the planted solutions are returned.
        inverted: turn the detector's decision around.
        inner_points: number of random points in the first class.
        closeness: where the readout's hyperplane is, from 0, in the middle of the margin, to 1, at the planted solution.
        candidates: number of corners among which an unflagged one is looked for.

    Returns:
        (N, C, H, W) in [0, 1]: per image, the attack's point if it solves the planted problem; the image itself if it does
        not, or if no problem can be planted. None is planted if the detector flags the image.

    Raises:
        ValueError: `attack` leaves the ball.

    References:
        Zimmermann et al. 2022, and their code for detectors; docs/papers/shared.md, "Binarisation test".
    """
    settings = {field.name: getattr(defence, field.name) for field in fields(Guarded)}
    threshold = -defence.threshold if inverted else defence.threshold

    def unflagged(points: Tensor) -> Tensor:
        return turned.read(points)[1] <= threshold

    with frozen(defence.model), torch.no_grad():
        check_inputs(defence.model, images, labels)
        turned = PlantedDefence(**settings | {"threshold": threshold}, inverted=inverted)
        flagged = defence.read(images)[1] > defence.threshold
        result = images.detach().clone()
        for (row,) in batches(1, torch.nonzero(~flagged)[:, 0]):
            image, stream = result[row], generator.take(row)
            problem = plant(
                defence.model, image, stream, eps=eps, inner_points=inner_points, closeness=closeness, allowed=unflagged,
                candidates=candidates,
            )  # fmt: skip
            if problem is None:
                continue
            planted = replace(turned, readout=problem.readout)

            def solves(points: Tensor, planted: PlantedDefence = planted) -> Tensor:
                logits, scores = planted.read(points)
                return (logits.argmax(1) == 1) & (scores <= threshold)

            result[row] = tried(
                problem, partial(attack, planted) if attack else None, solves, image, stream, eps, corners
            )
    return result

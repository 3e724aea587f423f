"""Two models under the same attacks, paired image by image, from a notebook."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from touchstone.api import gate, inputs
from touchstone.api.evaluation_result import EvaluationResult, as_plain, shown
from touchstone.api.inputs import Images, Labels
from touchstone.api.robust_accuracy import evaluate
from touchstone.contracts import Model
from touchstone.evaluations.statistics import intervals
from touchstone.evaluations.statistics.intervals import Interval
from touchstone.numerics.tensors import batches

UNSHARED = {  # settings of `evaluate` that two models cannot share: their defaults, and why
    "evidence": (None, "both models would write the same file"),
    "backward": (None, "each model would need a stand-in of its own"),
    "draws": (1, "fresh draws would count as differences between the models"),
}


@dataclass(frozen=True)
class PairResult:
    """Two models on the same images, each under the attacks on itself and under the images made on the other.

    Attributes:
        first, second: what `evaluate` returned for each.
        robust: share of images that each classifies correctly under both sets of attacked images, first and second.
        transferred: share that each classifies correctly when clean and on the images made on the other.
        difference: of the first of `robust` less the second, with its paired 95 % interval.
        clean_difference: the same for clean images.
    """

    first: EvaluationResult
    second: EvaluationResult
    robust: tuple[Interval, Interval]
    transferred: tuple[Interval, Interval]
    difference: Interval
    clean_difference: Interval

    def as_dict(self) -> dict[str, Any]:
        """Return all but the images as plain values, for `json.dumps`."""
        both = {
            name: result.as_dict()
            | {
                "robust_accuracy": as_plain(self.robust[place]),
                "on_images_of_the_other": as_plain(self.transferred[place]),
            }
            for place, (name, result) in enumerate((("first", self.first), ("second", self.second)))
        }
        return both | {
            "difference": as_plain(self.difference),
            "clean_difference": as_plain(self.clean_difference),
        }

    def __repr__(self) -> str:
        low, high = self.difference.low, self.difference.high
        doubts = [
            f"do not trust the {name}: {'; '.join(result.failed_checks)}"
            for name, result, rate in zip(("first", "second"), (self.first, self.second), self.robust, strict=True)
            if result.failed_checks and rate.value > 0  # no attack can lower an accuracy of 0
        ]
        difference = f"difference {self.difference.value:+.3f} [{low:+.3f}, {high:+.3f}]"
        accuracies = f"robust accuracy {shown(self.robust[0])} and {shown(self.robust[1])}"
        return f"PairResult({', '.join([accuracies, difference, f'{len(self.first.attacked)} images', *doubts])})"


def evaluate_pair(
    first: Model, second: Model, images: Images, labels: Labels | None = None, *, batch_size: int = 256, **settings: Any
) -> PairResult:
    """Attack two models within one budget, and compare them image by image.

    Each is attacked by itself, and also meets the images that were made on the other. So neither looks better only because
    the attack on it was weaker. The interval of the difference counts the images that only one of them gets right.

    Args:
        first: images to logits (N, K), as for `evaluate`.
        second: of the same classes.
        images: (N, C, H, W) in [0, 1]; a tensor, an array, or a loader of batches (images, labels).
        labels: (N,), int64; omitted with a loader.
        batch_size: images per forward pass.
        settings: of `evaluate`, the same for both: eps, steps, restarts, queries, attacks, seed, progress.

    Raises:
        TypeError: As for `evaluate`.
        ValueError: As for `evaluate`, or if `evidence`, `backward` or `draws` is given.

    Examples:
        >>> import torch
        >>> def model(scale):
        ...     return lambda images: torch.stack([scale - images.flatten(1)[:, 0], images.flatten(1)[:, 0] - 0.5], 1)
        >>> images, labels = torch.linspace(0, 1, 50).view(50, 1, 1, 1), torch.arange(50) // 25
        >>> result = evaluate_pair(model(0.5), model(0.1), images, labels, eps=0.1, steps=3, restarts=1, queries=0)
        >>> result.difference.value > 0
        True

    References:
    """
    for name, (default, reason) in UNSHARED.items():
        if settings.get(name, default) != default:
            raise ValueError(f"{name}: {reason}: call evaluate with it for each model, or omit it")
    pixels, classes = inputs.pair("images", images, labels, first)
    one, two = (evaluate(model, pixels, classes, batch_size=batch_size, **settings) for model in (first, second))
    rows: list[tuple[Tensor, Tensor, Tensor]] = []
    for model, own, other in ((first, one, two), (second, two, one)):
        with gate.entered(model, pixels, classes, batch_size=batch_size) as door, torch.no_grad():
            clean, attacked, transferred = (
                torch.cat(
                    [door.model(batch).argmax(1) == some for batch, some in batches(batch_size, shown, door.labels)]
                )
                for shown in (door.images, own.attacked, other.attacked)
            )
        rows.append((clean, clean & attacked & transferred, clean & transferred))
    (clean_a, robust_a, moved_a), (clean_b, robust_b, moved_b) = rows
    return PairResult(
        one,
        two,
        robust=(_rate(robust_a), _rate(robust_b)),
        transferred=(_rate(moved_a), _rate(moved_b)),
        difference=paired_difference(robust_a, robust_b),
        clean_difference=paired_difference(clean_a, clean_b),
    )


def paired_difference(first: Tensor, second: Tensor) -> Interval:
    """Return the difference of two shares of the same images with its 95 % interval.

    The interval is the square-and-add one of Newcombe for pairs, which covers as stated for few images and near 0 and 1.

    Args:
        first: (N,) bool.
        second: (N,) bool, of the same images.

    References:
        Newcombe 1998, Improved confidence intervals for the difference between binomial proportions based on paired data,
        method 10.

    >>> import torch
    >>> found = paired_difference(torch.arange(100) < 60, torch.arange(100) < 50)
    >>> round(found.value, 3), round(found.low, 3), round(found.high, 3)
    (0.1, 0.038, 0.16)
    """
    from scipy.stats import binomtest  # only when it is used: it takes half a second to import

    count = len(first)
    one, other = float(first.double().mean()), float(second.double().mean())
    both, only, alone, neither = (
        int(mask.sum()) for mask in (first & second, first & ~second, ~first & second, ~first & ~second)
    )
    product = (both + only) * (alone + neither) * (both + alone) * (only + neither)
    excess = both * neither - only * alone
    corrected = max(excess - count / 2, 0) if excess > 0 else excess
    phi = corrected / product**0.5 if product else 0.0
    (low, high), (other_low, other_high) = (
        map(float, binomtest(hits, count).proportion_ci(method="wilson")) for hits in (both + only, both + alone)
    )
    down, up = one - low, high - one
    other_down, other_up = other - other_low, other_high - other
    below = max(down**2 - 2 * phi * down * other_up + other_up**2, 0.0) ** 0.5
    above = max(up**2 - 2 * phi * up * other_down + other_down**2, 0.0) ** 0.5
    return Interval(one - other, max(one - other - below, -1.0), min(one - other + above, 1.0), "paired score interval")


def _rate(hits: Tensor) -> Interval:
    return intervals.binomial(int(hits.sum()), len(hits))

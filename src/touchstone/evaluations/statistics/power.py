"""How many seeds and images settle an open number: the chance that its interval ends up on one side of its bound.

It rests on what a number varies by, and on how far from its bound the truth is worth finding. Both are known without
the observed value, which is never read: a size computed from the observed effect confirms only itself. See
docs/verdicts.md, "How many seeds and images a claim needs".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from touchstone.evaluations.statistics.seed_intervals import CONFIDENCE, LARGEST, SCORE, Spread

Array = NDArray[Any]
POWER = 0.80
ENOUGH = "enough already"  # how an answer begins if no larger size is needed
FEWEST_SEEDS, MOST_SEEDS = 3, 60
UP, DOWN, BETWEEN, EQUAL = ("at_least", "above"), ("at_most", "below"), "between", "equals"
UNLIMITED = 10**6  # seeds: so many that only the images limit what can be seen
MOST_IMAGES = 10**7
_NODES = (np.arange(64) + 0.5) / 64  # of the distribution of the variance between networks, as seeds show it

Cost = Callable[[int, int], float]  # of a design of so many seeds and images, in any unit


class Question(NamedTuple):
    """What a number is asked.

    Attributes:
        method: one of seed_intervals.METHODS: how its interval is made.
        comparison: with its bound, as a criterion writes it: "at_least", "between", ...
        bound: one number; two for "between".
        distance: how far from the bound the truth has to be for an answer to be worth its price.
    """

    method: str
    comparison: str
    bound: float | tuple[float, float]
    distance: float


class Design(NamedTuple):
    """How many seeds and images, and the chance that they settle the question."""

    seeds: int
    images: int
    chance: float


class _Truth(NamedTuple):
    """A value that the number may truly have, and the bounds that its whole interval has to lie between."""

    value: float
    above: float | None
    below: float | None


def grown(spread: Spread, seeds: int, images: int) -> Spread:
    """Return what the mean would vary by with other numbers of seeds and images."""
    ratio = spread.images / images
    return Spread(seeds, images, spread.seed_variance, spread.image_variance * ratio, spread.residual_variance * ratio)


def smallest(spread: Spread, question: Question, images: int, cost: Cost | None = None) -> Design | str:
    """Return the smallest design that settles a question with chance POWER, or why none does.

    Seeds and images only grow. With a cost the cheapest design is returned. Without one it is the design with the fewest
    seeds, and of these the one with the fewest images.

    Args:
        spread: what the number varies by, measured with the present seeds and images.
        question: what it is asked.
        images: how many there are, the present ones included.
        cost: of a design, such as the minutes that it takes more.

    Returns:
        The design, or a reason in words.
    """
    if reason := _unanswerable(spread, question):
        return reason
    whole = max(images, spread.images)
    if chance(grown(spread, UNLIMITED, whole), question) < POWER:
        enough = _fewest_images(spread, question, UNLIMITED, whole, MOST_IMAGES)
        return (
            f"images: with all {whole:,} of them the images' part alone is too wide for a distance of"
            f" {question.distance:g}, whatever the seeds; {f'{enough:,}' if enough else f'more than {MOST_IMAGES:,}'}"
            f" would do, with many seeds"
        )
    if (already := chance(spread, question)) >= POWER:
        return (
            f"{ENOUGH}: {spread.seeds} seeds and {spread.images:,} images decide it with a chance of"
            f" {'> 99 %' if already > 0.99 else f'{100 * already:.0f} %'}; it is probably nearer, and that is not worth more"
        )
    designs = _designs(spread, question, whole)
    best = next(designs, None)
    if best is None:
        return f"seeds: more than {MOST_SEEDS} are needed, even with all {whole:,} images"
    return best if cost is None else min((best, *designs), key=lambda design: cost(design.seeds, design.images))


def _unanswerable(spread: Spread, question: Question) -> str:
    """Return why no design can settle a question, whatever its size; "" if one may."""
    bound, distance = question.bound, question.distance
    if question.comparison == EQUAL:
        return "equality is no estimate: every network has to meet it, however many there are"
    if question.comparison not in (*UP, *DOWN, BETWEEN):
        return "nothing to decide: no bound was fixed for it"
    if not distance > 0:
        return "no distance: the paper's folder fixes none for this number"
    if isinstance(bound, tuple) and bound[1] - bound[0] < 2 * distance:
        return f"between: the bounds are closer than twice the distance of {distance:g}"
    if spread.seeds < FEWEST_SEEDS:
        return f"too few seeds: {spread.seeds} cannot show how much networks differ; run {FEWEST_SEEDS} first"
    if not list(_truths(question)):
        return f"no truth: a share cannot be {distance:g} beyond the bound"
    return ""


def _designs(spread: Spread, question: Question, whole: int) -> Iterator[Design]:
    """Yield, for each number of seeds that can settle the question, the design with the fewest images.

    Once the present images are enough, more seeds only cost more. The chance may fall by a hair as images grow, because
    the degrees of freedom fall to those of the seeds.
    """
    for seeds in range(max(FEWEST_SEEDS, spread.seeds), MOST_SEEDS + 1):
        if (reached := chance(grown(spread, seeds, spread.images), question)) >= POWER:
            yield Design(seeds, spread.images, reached)
            return
        if images := _fewest_images(spread, question, seeds, spread.images, whole):
            yield Design(seeds, images, chance(grown(spread, seeds, images), question))


def _fewest_images(spread: Spread, question: Question, seeds: int, few: int, most: int) -> int:
    """Return the smallest number of images above `few` that is enough with so many seeds; 0 if `most` is not."""
    if chance(grown(spread, seeds, most), question) < POWER:
        return 0
    while most - few > 1:
        middle = (few + most) // 2
        few, most = (few, middle) if chance(grown(spread, seeds, middle), question) >= POWER else (middle, most)
    return most


def chance(spread: Spread, question: Question) -> float:
    """Return the chance that the interval lies on one side of the bound if the truth is as far from it as `distance`.

    The truth may be on either side of the bound, and the less favourable side counts. The variance between networks is
    drawn as the seeds would show it, and with it the degrees of freedom; that of images is taken as known.

    Args:
        spread: what the mean varies by in the design.
        question: what the number is asked.
    """
    return min((_chance_at(truth, spread, question) for truth in _truths(question)), default=0.0)


def _truths(question: Question) -> Iterator[_Truth]:
    """Yield the values at the distance from each bound, inside and outside; shares stay between 0 and 1."""
    bound, distance = question.bound, question.distance
    low, high = bound if isinstance(bound, tuple) else (bound, bound)
    outside = [_Truth(low - distance, None, low), _Truth(high + distance, high, None)]
    inside = [_Truth(low + distance, low, high), _Truth(high - distance, low, high)] if low < high else []
    for truth in (*outside, *inside):
        if question.method != SCORE or -1e-12 <= truth.value <= 1 + 1e-12:
            yield truth


def _chance_at(truth: _Truth, spread: Spread, question: Question) -> float:
    """Return the chance that the interval lies between the bounds of a truth."""
    spread = _seen(truth, spread, question)
    reference = _reference(question)
    variance, half = spread.variance, _halves(spread, question)

    def inwards(bound: float) -> Array:
        """How far from a bound the value has to be: a score interval is as wide as the bound's own share makes it."""
        return half * np.sqrt(bound * (1 - bound) / reference) if reference else half * (question.method != SCORE)

    if reference:
        variance *= max(truth.value * (1 - truth.value), 0.0) / reference
    scale = np.sqrt(variance) if variance > 0 else 1e-12
    low = 0.0 if truth.above is None else special.ndtr((truth.above + inwards(truth.above) - truth.value) / scale)
    high = 1.0 if truth.below is None else special.ndtr((truth.below - inwards(truth.below) - truth.value) / scale)
    return float(np.mean(np.clip(high - low, 0.0, 1.0)))


def _reference(question: Question) -> float:
    """Return the variance of one image at which a share's parts were measured, that of its bound; 0 if it has none.

    The number is open, so it is near its bound. Elsewhere its variance grows with share * (1 - share).
    """
    if question.method != SCORE:
        return 0.0
    middle = float(np.mean(question.bound))
    return middle * (1 - middle)


def _seen(truth: _Truth, spread: Spread, question: Question) -> Spread:
    """Return the spread; where nothing varied, a share or a difference at the truth would, at least with the images."""
    if spread.variance > 0 or question.method not in (SCORE, *LARGEST):
        return spread
    share = min(abs(truth.value), 1.0)
    one_image = _reference(question) or share * (1 - share)
    return spread._replace(image_variance=one_image / spread.images)


def _halves(spread: Spread, question: Question) -> Array:
    """Return half the width of the interval for each node of the variance between networks."""
    df = spread.seeds - 1
    draws = 2 * special.gammaincinv(df / 2, _NODES) / df  # quantiles of chi-squared / df
    between = (spread.seed_variance + spread.residual_variance) * draws
    drawn = [
        spread._replace(seed_variance=max(float(each) - spread.residual_variance, 0.0))
        for each in (between if between.any() else between[:1])
    ]
    t = special.stdtrit([each.df for each in drawn], (1 + CONFIDENCE) / 2)
    half = np.asarray(t * np.sqrt([each.variance for each in drawn]))
    if question.method in LARGEST:
        z = float(special.ndtri((1 + CONFIDENCE) / 2))
        half = np.maximum(half, z * z / (spread.images + z * z))
    return half

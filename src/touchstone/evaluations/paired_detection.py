"""By how much one detector is better than another, on the same inputs."""

from __future__ import annotations

from touchstone.contracts import NonNegativeInt, PositiveInt
from touchstone.evaluations._contests import Contest, contests
from touchstone.records.metric_rows import MetricRow
from touchstone.records.nouns import Cell
from touchstone.statistics import rank_intervals
from touchstone.statistics.intervals import Interval
from touchstone.statistics.rows import row, with_means

METRICS = ("auroc_minus_*", "auroc_successes_minus_*")


def paired_detection(
    scores: list[Cell],
    outputs: list[Cell],
    *,
    id_examples: str,
    against: list[str],
    turned: list[str] = [],  # noqa: B006 - a literal that the registry reads; never written to
    resamples: PositiveInt = 1000,
    bootstrap_seed: NonNegativeInt = 0,
) -> list[MetricRow]:
    """Compare each detector's AUROC with that of the detectors in `against`, on the same inputs.

    Both detectors score the same images, and each bootstrap sample draws the same images for both. What is hard about
    the images cancels, so the interval is that of the difference itself.

    Args:
        scores, outputs, id_examples: as for `detection`.
        against: detectors whose AUROC is subtracted.
        turned: detectors whose AUROC is subtracted with the sign of their scores turned, that is 1 - AUROC. A detector
            that beats both beats the other whatever its sign should be.

    Returns:
        Rows auroc_minus_OTHER and auroc_minus_turned_OTHER (also auroc_successes_...), then means over seeds.

    Raises:
        ValueError: a detector in `against` or `turned` has no scores, or all detectors are in them.

    References:
        docs/papers/shared.md, "Intervals".
    """
    pairs = list(contests(scores, outputs, id_examples))
    sides = {(contest.place, contest.normal.detector): contest for contest in pairs}
    rows: list[MetricRow] = []
    for contest in pairs:
        if contest.normal.detector in (*against, *turned):
            continue
        for sign, name, others in ((1.0, "", against), (-1.0, "turned_", turned)):
            for other in others:
                second = sides.get((contest.place, other))
                if second is None:
                    raise ValueError(f"no scores of {other} on the sets that {contest.normal.detector} is measured on")
                difference = _difference(contest, second, sign, resamples, bootstrap_seed)
                rows.append(_row(f"auroc{contest.suffix}_minus_{name}{other}", contest, second, difference))
    if not rows:
        raise ValueError("every detector is one to compare with; ask for one that is not in against or turned")
    return with_means(rows)


def _difference(one: Contest, other: Contest, sign: float, resamples: int, seed: int) -> Interval:
    normal, anomalous = other.scores
    second = (sign * normal, sign * anomalous)
    statistics = rank_intervals.detection_difference(
        one.scores, second, resamples=resamples, seed=seed, statistics=("auroc",), counted=one.counted
    )
    return statistics["auroc"]


def _row(metric: str, contest: Contest, second: Contest, difference: Interval) -> MetricRow:
    return row(
        metric,
        difference,
        cell=contest.anomalous,
        entry=contest.entry,
        n=contest.n,
        unit="difference",
        files=[*contest.files, *second.files],
    )

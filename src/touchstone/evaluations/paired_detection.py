"""By how much one detector is better than another, on the same inputs."""

from __future__ import annotations

from touchstone.contracts import NonNegativeInt, PositiveInt
from touchstone.evaluations._contests import FRACTIONS, Contest, contests
from touchstone.evaluations.statistics import estimators, rank_intervals
from touchstone.evaluations.statistics.intervals import Interval
from touchstone.evaluations.statistics.rows import grouped, means_over_sets, row, with_means
from touchstone.records.metric_tables import MetricRow
from touchstone.records.nouns import Cell

METRICS = (
    "auroc_minus_*", "auroc_successes_minus_*", "aupr_ood_minus_*", "aupr_ood_successes_minus_*",
    "aupr_id_minus_*", "aupr_id_successes_minus_*", "fpr95_id_minus_*", "fpr95_id_successes_minus_*",
    "fpr95_ood_minus_*", "fpr95_ood_successes_minus_*", "detection_error_minus_*", "detection_error_successes_minus_*",
)  # fmt: skip


def paired_detection(
    scores: list[Cell],
    outputs: list[Cell],
    *,
    id_examples: str,
    against: list[str],
    statistics: list[str] = ["auroc"],  # noqa: B006 - a literal that the registry reads; never written to
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
        statistics: what is compared: auroc, aupr_ood, aupr_id, fpr95_id, fpr95_ood, detection_error.
        turned: detectors whose AUROC is subtracted with the sign of their scores turned, that is 1 - AUROC. A detector
            that beats both beats the other whatever its sign should be.

    Returns:
        Rows auroc_minus_OTHER and auroc_minus_turned_OTHER (also auroc_successes_..., fpr95_id_minus_...), then means
        over seeds. On mean_of_sets is the mean over the anomalous sets that nobody attacked, if there are several.

    Raises:
        ValueError: a detector in `against` or `turned` has no scores, all detectors are in them, or there is no such
            statistic.

    References:
        docs/verdicts.md, "Intervals".
    """
    if unknown := set(statistics) - set(estimators.STATISTICS):
        raise ValueError(f"no statistic {min(unknown)}; there are {', '.join(estimators.STATISTICS)}")
    pairs = list(contests(scores, outputs, id_examples))
    sides = {(contest.place, contest.normal.detector): contest for contest in pairs}
    rows: list[MetricRow] = []
    compared = [contest for contest in pairs if contest.normal.detector not in (*against, *turned)]
    for group in grouped(compared, lambda contest: contest.normal.file).values():
        for sign, name, others in ((1.0, "", against), (-1.0, "turned_", turned)):
            for other in others:
                unattacked: list[list[MetricRow]] = []
                for contest in group:
                    second = sides.get((contest.place, other))
                    if second is None:
                        raise ValueError(
                            f"no scores of {other} on the sets that {contest.normal.detector} is measured on"
                        )
                    differences = _differences(contest, second, sign, tuple(statistics), resamples, bootstrap_seed)
                    of_set = [
                        _row(f"{key}{contest.suffix}_minus_{name}{other}", contest, second, value)
                        for key, value in differences.items()
                    ]
                    rows += of_set
                    if not contest.anomalous.attack:
                        unattacked.append(of_set)
                rows += means_over_sets(unattacked)
    if not rows:
        raise ValueError("every detector is one to compare with; ask for one that is not in against or turned")
    return with_means(rows)


def _differences(
    one: Contest, other: Contest, sign: float, statistics: tuple[str, ...], resamples: int, seed: int
) -> dict[str, Interval]:
    normal, anomalous = other.scores
    second = (sign * normal, sign * anomalous)
    return rank_intervals.detection_difference(
        one.scores,
        second,
        resamples=resamples,
        seed=seed,
        statistics=statistics,
        counted=one.counted,
        paired=one.paired,
    )


def _row(metric: str, contest: Contest, second: Contest, difference: Interval) -> MetricRow:
    return row(
        metric,
        difference,
        cell=contest.anomalous,
        entry=contest.entry,
        n=contest.n,
        unit="difference of fractions" if metric.startswith(FRACTIONS) else "difference",
        files=[*contest.files, *second.files],
    )

"""How well each detector separates anomalous from in-distribution inputs."""

from __future__ import annotations

import itertools

from touchstone.contracts import NonNegativeInt, PositiveInt
from touchstone.evaluations._contests import FRACTIONS, Contest, contests
from touchstone.evaluations.statistics import rank_intervals
from touchstone.evaluations.statistics.rows import grouped, means_over_sets, row, with_means
from touchstone.records.metric_tables import MetricRow
from touchstone.records.nouns import Cell

METRICS = (
    "auroc", "aupr_ood", "aupr_id", "fpr95_id", "fpr95_ood", "detection_error", "auroc_successes", "aupr_ood_successes",
    "aupr_id_successes", "fpr95_id_successes", "fpr95_ood_successes", "detection_error_successes",
)  # fmt: skip


def detection(
    scores: list[Cell],
    outputs: list[Cell],
    *,
    id_examples: str,
    resamples: PositiveInt = 1000,
    bootstrap_seed: NonNegativeInt = 0,
) -> list[MetricRow]:
    """Measure how well each detector separates anomalous inputs from in-distribution ones.

    Args:
        scores: of each classifier seed and detector on `id_examples` and on the anomalous sets: every other set, and
            attacked versions of `id_examples`.
        outputs: of the same classifiers on `id_examples` and its attacked versions; they say which attacks succeeded.
        id_examples: the in-distribution set.

    Returns:
        Rows auroc, aupr_ood, aupr_id, fpr95_id, fpr95_ood and detection_error, then means over seeds. Attacked versions
        of `id_examples` are measured twice: all attempts, and as <metric>_successes the images that are right when
        clean and wrong when attacked, if there are at least 10. n counts both populations; base_rate is the share of
        the positive class: ID for aupr_id, else anomalous. On mean_of_sets is the mean over the anomalous sets that
        nobody attacked, if there are several. Images are resampled for the intervals: ID and anomalous ones
        separately, a clean image and its attacked version together.

    Raises:
        ValueError: scores or outputs are missing.

    References:
        docs/papers/shared.md, "Scores and metrics".
    """
    rows: list[MetricRow] = []
    for group in grouped(contests(scores, outputs, id_examples), lambda contest: contest.normal.file).values():
        of_contests = [_rows(contest, resamples, bootstrap_seed) for contest in group]
        rows += [row for of_contest in of_contests for row in of_contest]
        clean = [not contest.anomalous.attack for contest in group]
        rows += means_over_sets(list(itertools.compress(of_contests, clean)))
    return with_means(rows)


def _rows(contest: Contest, resamples: int, seed: int) -> list[MetricRow]:
    (normal, anomalous), n = contest.sizes, contest.n
    statistics = rank_intervals.detection(
        *contest.scores, resamples=resamples, seed=seed, counted=contest.counted, paired=contest.paired
    )
    return [
        row(
            metric + contest.suffix,
            interval,
            cell=contest.anomalous,
            entry=contest.entry,
            n=n,
            base_rate=(normal if metric == "aupr_id" else anomalous) / n,
            unit="fraction" if metric in FRACTIONS else "",
            files=contest.files,
        )
        for metric, interval in statistics.items()
    ]

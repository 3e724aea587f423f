"""How well each detector tells anomalous inputs from in-distribution ones."""

from __future__ import annotations

from touchstone.contracts import NonNegativeInt, PositiveInt
from touchstone.evaluations._contests import Contest, contests
from touchstone.records.metric_rows import MetricRow
from touchstone.records.nouns import Cell
from touchstone.statistics import intervals
from touchstone.statistics.rows import row, with_means

FRACTIONS = ("fpr95_id", "fpr95_ood", "detection_error")


def detection(
    scores: list[Cell],
    outputs: list[Cell],
    *,
    id_examples: str,
    resamples: PositiveInt = 1000,
    bootstrap_seed: NonNegativeInt = 0,
) -> list[MetricRow]:
    """Return auroc, aupr_ood, aupr_id, fpr95_id, fpr95_ood and detection_error rows, and their means over seeds.

    scores: of each classifier seed and detector on `id_examples`, which are in distribution, and on what counts as
    anomalous: every other set, and attacked versions of `id_examples`. The latter are measured twice: all attempts,
    and as <metric>_successes those that are right when clean and wrong when attacked, if there are 10 or more.
    outputs: of the same classifiers on `id_examples` and its attacked versions; they say which attacks succeeded.
    n counts both populations; base_rate is the share of the positive class: ID for aupr_id, else anomalous.
    Intervals are bootstrapped, ID and anomalous rows apart. ValueError where scores or outputs are missing.
    """
    rows: list[MetricRow] = []
    for contest in contests(scores, outputs, id_examples):
        rows += _rows(contest, resamples, bootstrap_seed)
    return with_means(rows)


def _rows(contest: Contest, resamples: int, seed: int) -> list[MetricRow]:
    id_scores, ood_scores = contest.scores
    n = len(id_scores) + len(ood_scores)
    found = intervals.detection(id_scores, ood_scores, resamples=resamples, seed=seed)
    return [
        row(
            metric + contest.suffix,
            interval,
            cell=contest.anomalous,
            entry=contest.entry,
            n=n,
            base_rate=(len(id_scores) if metric == "aupr_id" else len(ood_scores)) / n,
            unit="fraction" if metric in FRACTIONS else "",
            files=contest.files,
        )
        for metric, interval in found.items()
    ]

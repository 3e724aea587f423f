"""A check of the measurement: the AUROC of random halves, at chance whatever the detector is."""

from __future__ import annotations

import numpy as np

from touchstone.contracts import NonNegativeInt, PositiveInt
from touchstone.evaluations._contests import by_id, contests, is_id
from touchstone.evaluations.statistics import rank_intervals
from touchstone.evaluations.statistics.estimators import Array
from touchstone.evaluations.statistics.rows import grouped, only, row, with_means
from touchstone.evaluations.statistics.threats import network
from touchstone.records.metric_tables import MetricRow
from touchstone.records.nouns import Cell

METRICS = ("auroc_halves", "auroc_shuffled")


def negative_controls(
    scores: list[Cell],
    *,
    id_examples: str,
    split_seed: NonNegativeInt = 0,
    resamples: PositiveInt = 1000,
    bootstrap_seed: NonNegativeInt = 0,
) -> list[MetricRow]:
    """Measure each detector on a random split, where every detector is at chance: if it is not, the measurement is wrong.

    Args:
        scores: of each classifier and detector on `id_examples` and on anomalous sets.
        id_examples: the in-distribution set.
        split_seed: of the draw that splits or permutes.

    Returns:
        Rows per classifier seed and detector, then means over seeds. Both metrics are one random draw, so chance is 0.5
        within the interval, which at 2 x 180 images extends .06 to both sides:

        - auroc_halves: one random half of `id_examples` against the other.
        - auroc_shuffled: `id_examples` and an anomalous set, with labels that are a seeded permutation of the true
          ones.

    References:
        docs/papers/shared.md, "Checks of an attack", item 9.
    """
    rows: list[MetricRow] = []
    for group in grouped(scores, lambda cell: (network(cell), cell.detector)).values():
        normal = only((cell for cell in group if is_id(cell, id_examples)), f"scores of {id_examples}")
        values = by_id(normal)
        rows.append(
            _row("auroc_halves", normal, [normal], values, len(values) // 2, split_seed, resamples, bootstrap_seed)
        )
    for contest in contests(scores, None, id_examples):
        first, second = contest.scores
        rows.append(
            _row(
                "auroc_shuffled",
                contest.anomalous,
                contest.files,
                np.concatenate([first, second]),
                len(first),
                split_seed,
                resamples,
                bootstrap_seed,
            )
        )
    return with_means(rows)


def _row(
    metric: str, cell: Cell, files: list[Cell], values: Array, first: int, split_seed: int, resamples: int, seed: int
) -> MetricRow:
    """Return the AUROC of `first` rows drawn at random against the rest."""
    shuffled = values[np.random.default_rng([split_seed, len(values)]).permutation(len(values))]
    statistics = rank_intervals.detection(shuffled[:first], shuffled[first:], resamples=resamples, seed=seed)
    entry = f"{cell.entry}+{cell.detector}"
    return row(metric, statistics["auroc"], cell=cell, entry=entry, n=len(values), unit="", files=files)

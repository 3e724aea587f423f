"""Accuracy, clean and under attack, and how sure a classifier is when it is wrong."""

from __future__ import annotations

from collections import defaultdict
from functools import reduce

import numpy as np

from touchstone.contracts import NonNegativeInt, PositiveInt
from touchstone.evaluations.statistics import declared_budgets, intervals
from touchstone.evaluations.statistics.estimators import Array, confidence, correct
from touchstone.evaluations.statistics.rows import grouped, only, rate_row, row, rows_of, with_means
from touchstone.evaluations.statistics.seed_intervals import SCORE
from touchstone.evaluations.statistics.threats import budget, network, white_box
from touchstone.records.metric_rows import WHITE_BOX, Threat, stated
from touchstone.records.metric_tables import MetricRow
from touchstone.records.nouns import Cell

METRICS = (
    "clean_accuracy", "robust_accuracy", "robust_accuracy_unquantised", "robust_accuracy_union", "attacked_accuracy",
    "attacked_accuracy_unquantised", "success_rate", "mean_confidence", "mean_confidence_on_errors",
)  # fmt: skip


def robustness(
    outputs: list[Cell],
    *,
    own_probabilities: list[str] = [],  # noqa: B006 - a literal that the registry reads; never written to
    resamples: PositiveInt = 1000,
    bootstrap_seed: NonNegativeInt = 0,
) -> list[MetricRow]:
    """Measure accuracy and confidence on clean, attacked and translated sets.

    Args:
        outputs: of each classifier seed on its clean set, on attacked versions of it, and on translated versions of
            either.
        own_probabilities: classifiers whose classes have probabilities exp(logit) of their own (shallow_rbf), which
            softmax would hide.

    Returns:
        Rows per classifier, seed and set, then means over seeds, as fractions. Rates have exact binomial intervals,
        confidence has bootstrap ones. Metrics:

        - clean_accuracy.
        - robust_accuracy of images on the 1/255 grid; robust_accuracy_unquantised of the float images.
        - robust_accuracy_union: right under every white-box attack of one norm and eps, if there are at least two.
        - attacked_accuracy, in place of robust_accuracy, if the attack declares no norm and eps that its images keep to:
          carlini_wagner, colour_inversion. attacked_accuracy_unquantised of the float images, also if they may leave
          [0, 1] (`clip: false`). Neither is in a union.
        - success_rate of the attack, on rows that are right when clean.
        - mean_confidence, the mean probability of the predicted class; mean_confidence_on_errors, on the wrong rows
          only.

    Raises:
        ValueError: rows have no class, or the clean set of an attacked one is missing.

    References:
        docs/papers/shared.md.
    """
    rows: list[MetricRow] = []
    for group in grouped(outputs, lambda cell: (network(cell), cell.examples)).values():
        clean = only((cell for cell in group if not cell.attack and not cell.translator), f"clean {group[0].examples}")
        for cell in group:
            rows += _accuracies(cell)
            rows += _success_rate(cell, clean) if cell.attack else []
            rows += _confidence(cell, cell.entry in own_probabilities, resamples, bootstrap_seed)
        rows += _unions(group)
    return with_means(rows)


def _right(cell: Cell) -> Array:
    return correct(cell.noun.predictions, cell.noun.labels)


def _accuracies(cell: Cell) -> list[MetricRow]:
    if not cell.attack:
        return [rate_row("clean_accuracy", _right(cell), cell)]
    _, eps = budget(cell)
    bounded = eps is not None
    rows = [rate_row("robust_accuracy" if bounded else "attacked_accuracy", _right(cell), cell)]
    if cell.noun.unquantised_logits is not None:
        robust = bounded and declared_budgets.stays_in_range(cell.settings)
        hits = correct(cell.noun.unquantised_logits.argmax(axis=1), cell.noun.labels)
        metric = "robust_accuracy_unquantised" if robust else "attacked_accuracy_unquantised"
        rows.append(rate_row(metric, hits, cell))
    return rows


def _success_rate(cell: Cell, clean: Cell) -> list[MetricRow]:
    """Return the success rate; a translated attack succeeds on what was right without attack and translator."""
    same = rows_of(clean.noun.example_ids, cell.noun.example_ids, cell.file)
    among = _right(clean)[same]
    return [rate_row("success_rate", ~_right(cell), cell, among=among, files=[cell, clean])] if among.any() else []


def _confidence(cell: Cell, own: bool, resamples: int, seed: int) -> list[MetricRow]:
    by_id = np.argsort(cell.noun.example_ids)  # the interval must not depend on the order of rows
    sure = confidence(cell.noun.logits[by_id], own_probabilities=own)
    counted = {"mean_confidence": np.ones(len(sure), dtype=bool), "mean_confidence_on_errors": ~_right(cell)[by_id]}
    means = {
        metric: intervals.mean(sure, resamples=resamples, seed=seed, method=SCORE, among=among)
        for metric, among in counted.items()
        if among.any()
    }
    return [row(metric, mean, cell=cell, n=int(counted[metric].sum()), files=[cell]) for metric, mean in means.items()]


def _unions(group: list[Cell]) -> list[MetricRow]:
    budgets: dict[tuple[str, float], list[Cell]] = defaultdict(list)
    for cell in group:
        norm, eps = budget(cell)
        if white_box(cell) and eps is not None:
            budgets[norm, eps].append(cell)
    return [_union(norm, eps, cells) for (norm, eps), cells in budgets.items() if len(cells) > 1]


def _union(norm: str, eps: float, cells: list[Cell]) -> MetricRow:
    ids = reduce(np.intersect1d, [cell.noun.example_ids for cell in cells])
    if not len(ids):
        raise ValueError(f"no example is in all of {', '.join(cell.file for cell in cells)}")
    hits = np.all([_right(cell)[rows_of(cell.noun.example_ids, ids, cell.file)] for cell in cells], axis=0)
    ordered = sorted(cells, key=lambda cell: cell.attack)
    threat = Threat(
        WHITE_BOX, worst_of=tuple(cell.attack for cell in ordered), norm=norm, budget=(("eps", stated(eps)),)
    )
    examples = f"{cells[0].examples}/union_{norm}@{eps:g}"
    return rate_row(
        "robust_accuracy_union", hits, ordered[0], ids=ids, files=ordered, examples=examples, threat_model=threat
    )

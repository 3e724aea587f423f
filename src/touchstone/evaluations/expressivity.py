"""How much of a confounding label's gradient lies below the last layer: what unknown inputs would change."""

from __future__ import annotations

import numpy as np

from touchstone.contracts import NonNegativeInt, PositiveInt
from touchstone.evaluations._contests import are_pairs, is_id
from touchstone.evaluations.statistics import intervals, rank_intervals
from touchstone.evaluations.statistics.estimators import Array
from touchstone.evaluations.statistics.rows import grouped, only, row, with_means
from touchstone.evaluations.statistics.threats import network
from touchstone.records.metric_tables import MetricRow
from touchstone.records.nouns import Cell

METRICS = ("upstream_share", "auroc_upstream_share", "auroc_gradient_sum")
LAST_LAYER = 2  # columns of the gradient norms: the weight and the bias of the layer that gives the logits


def expressivity(
    outputs: list[Cell],
    *,
    id_examples: str,
    label: str = "softmax_all",
    resamples: PositiveInt = 1000,
    bootstrap_seed: NonNegativeInt = 0,
) -> list[MetricRow]:
    """Measure the share of the gradient below the last layer, and how well it separates sets.

    The paper's reason why gradients reveal unknown inputs: for a known input the features already fit, so that only the
    last mapping would have to change; an unknown input needs other features too. Nothing is trained, so networks of
    different sizes can be compared.

    Args:
        outputs: of each classifier seed, with gradient norms.
        id_examples: the in-distribution set.
        label: the confounding label.

    Returns:
        Rows per classifier seed and set, then means over seeds, with bootstrap intervals. Metrics:

        - upstream_share: the median over images of the share of the squared gradient norm below the last layer, in [0,
          1].
        - auroc_upstream_share: how well this share separates a set from `id_examples`, larger counted as anomalous.
        - auroc_gradient_sum: how well the whole norm does.

    Raises:
        ValueError: a network has only one layer, so that nothing is below it.

    References:
        docs/papers/gradient_detection.md, "Idea".
    """
    rows: list[MetricRow] = []
    for group in grouped(outputs, network).values():
        normal = only((cell for cell in group if is_id(cell, id_examples)), f"outputs on {id_examples}")
        for cell in group:
            if cell.translator:
                continue
            share, total = _share_and_total(cell, label)
            intervals_of = {"upstream_share": intervals.median(share, resamples=resamples, seed=bootstrap_seed)}
            if cell is not normal:
                for metric, ours, theirs in zip(
                    ("auroc_upstream_share", "auroc_gradient_sum"),
                    _share_and_total(normal, label),
                    (share, total),
                    strict=True,
                ):
                    statistics = rank_intervals.detection(
                        ours, theirs, resamples=resamples, seed=bootstrap_seed, paired=are_pairs(normal, cell)
                    )
                    intervals_of[metric] = statistics["auroc"]
            rows += [
                row(
                    metric,
                    interval,
                    cell=cell,
                    n=len(share) + (0 if metric == "upstream_share" else len(normal.noun.example_ids)),
                    unit="fraction" if metric == "upstream_share" else "",
                    files=[normal, cell],
                )
                for metric, interval in intervals_of.items()
            ]
    return with_means(rows)


def _share_and_total(cell: Cell, label: str) -> tuple[Array, Array]:
    """Return, in the order of the ids, the share of the squared norm below the last layer and the whole of it."""
    norms = cell.noun.gradient_norms[label].astype(np.float64)[np.argsort(cell.noun.example_ids)]
    if norms.shape[1] <= LAST_LAYER:
        raise ValueError(f"{cell.entry} has one layer, so there is none below it")
    total = norms.sum(axis=1)
    upstream = norms[:, :-LAST_LAYER].sum(axis=1)
    # A gradient of exactly zero lies nowhere.
    return np.divide(upstream, total, out=np.zeros_like(total), where=total > 0), total

"""Where in a network the gradients of a confounding label lie: what unknown inputs would change of it."""

from __future__ import annotations

import numpy as np

from touchstone.contracts import NonNegativeInt, PositiveInt
from touchstone.evaluations._contests import is_id
from touchstone.records.metric_rows import MetricRow
from touchstone.records.nouns import Cell
from touchstone.statistics import intervals
from touchstone.statistics.estimators import Array
from touchstone.statistics.rows import grouped, only, row, with_means
from touchstone.statistics.threats import network

LAST_LAYER = 2  # columns of the gradient norms: the weight and the bias of the layer that gives the logits


def expressivity(
    outputs: list[Cell],
    *,
    id_examples: str,
    label: str = "softmax_all",
    resamples: PositiveInt = 1000,
    bootstrap_seed: NonNegativeInt = 0,
) -> list[MetricRow]:
    """Return, per classifier seed and set, how much of the gradient lies below the last layer, and whether that tells.

    The paper's reason why gradients show unknown inputs: what is known already finds the right features, so that only
    the last mapping would have to move, and what is unknown needs other features too (papers.md 1.a).
    upstream_share: the median over images of the share of the whole squared gradient norm that lies below the last
    layer, from 0 to 1. auroc_upstream_share: how well that share alone tells a set from `id_examples`, larger counted
    as anomalous, as the reason has it; auroc_gradient_sum: how well the whole norm does. Nothing is trained, so nets of
    different sizes compare. label: the confounding label. A network of one layer has nothing below it and is refused
    with ValueError. Intervals are bootstrapped.
    """
    rows: list[MetricRow] = []
    for group in grouped(outputs, network).values():
        known = only((cell for cell in group if is_id(cell, id_examples)), f"outputs on {id_examples}")
        for cell in group:
            if cell.translator:
                continue
            share, total = _share_and_total(cell, label)
            found = {"upstream_share": intervals.median(share, resamples=resamples, seed=bootstrap_seed)}
            if cell is not known:
                for metric, ours, theirs in zip(
                    ("auroc_upstream_share", "auroc_gradient_sum"),
                    _share_and_total(known, label),
                    (share, total),
                    strict=True,
                ):
                    statistics = intervals.detection(ours, theirs, resamples=resamples, seed=bootstrap_seed)
                    found[metric] = statistics["auroc"]
            rows += [
                row(
                    metric,
                    interval,
                    cell=cell,
                    n=len(share) + (0 if metric == "upstream_share" else len(known.noun.example_ids)),
                    unit="fraction" if metric == "upstream_share" else "",
                    files=[known, cell],
                )
                for metric, interval in found.items()
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

"""How well each detector tells anomalous inputs from in-distribution ones."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from touchstone import intervals
from touchstone.contracts import NonNegativeInt, PositiveInt
from touchstone.evaluation import Array, correct
from touchstone.metric_rows import Row, clean_outputs, grouped, only, row, rows_of, with_means
from touchstone.records import Cell
from touchstone.threats import network

FEWEST = 10  # successful attacks below which a statistic of them is noise
FRACTIONS = ("fpr95_id", "fpr95_ood", "detection_error")


def detection(
    scores: list[Cell],
    outputs: list[Cell],
    *,
    id_examples: str,
    resamples: PositiveInt = 1000,
    bootstrap_seed: NonNegativeInt = 0,
) -> list[Row]:
    """Return auroc, aupr_ood, aupr_id, fpr95_id, fpr95_ood and detection_error rows, and their means over seeds.

    scores: of each classifier seed and detector on `id_examples`, which are in distribution, and on what counts as
    anomalous: every other set, and attacked versions of `id_examples`. The latter are measured twice: all attempts,
    and as <metric>_successes those that are right when clean and wrong when attacked, if there are 10 or more.
    outputs: of the same classifiers on `id_examples` and its attacked versions; they say which attacks succeeded.
    n counts both populations; base_rate is the share of the positive class: ID for aupr_id, else anomalous.
    Intervals are bootstrapped, ID and anomalous rows apart. ValueError where scores or outputs are missing.
    """
    rows: list[Row] = []
    for group in grouped(scores, lambda cell: (network(cell), cell.detector)).values():
        id_cell = only((cell for cell in group if _is_id(cell, id_examples)), f"scores of {id_examples}")
        for cell in group:
            if cell is id_cell or cell.translator:
                continue
            rows += _rows(id_cell, cell, "", None, [], resamples, bootstrap_seed)
            if cell.attack and cell.examples == id_examples:
                beaten, sources = _beaten(cell, outputs)
                rows += _rows(id_cell, cell, "_successes", beaten, sources, resamples, bootstrap_seed)
    return with_means(rows)


def _is_id(cell: Cell, id_examples: str) -> bool:
    return cell.examples == id_examples and not cell.attack and not cell.translator


def _beaten(cell: Cell, outputs: Iterable[Cell]) -> tuple[Array, list[Cell]]:
    """Return which rows of the attacked scores the classifier got right when clean and wrong when attacked."""
    clean = clean_outputs(outputs, cell)
    own = [out for out in outputs if network(out) == network(cell) and out.examples == cell.examples]
    attacked = only(
        (out for out in own if (out.attack, out.victim, out.translator) == (cell.attack, cell.victim, "")),
        f"outputs of {network(cell)} on {cell.examples} under {cell.attack} of {cell.victim}",
    )
    ids = cell.noun.example_ids
    right = [
        correct(out.noun.predictions, out.noun.labels)[rows_of(out.noun.example_ids, ids, out.file)]
        for out in (clean, attacked)
    ]
    return right[0] & ~right[1], [clean, attacked]


def _by_id(cell: Cell, keep: Array | None = None) -> Array:
    """Return the scores in the order of their ids, so that no interval depends on the order of rows."""
    order = np.argsort(cell.noun.example_ids)
    kept = order if keep is None else order[keep[order]]
    return np.asarray(cell.noun.scores[kept])


def _rows(
    id_cell: Cell, cell: Cell, suffix: str, keep: Array | None, sources: list[Cell], resamples: int, seed: int
) -> list[Row]:
    id_scores, ood_scores = _by_id(id_cell), _by_id(cell, keep)
    if suffix and len(ood_scores) < FEWEST:
        return []
    n = len(id_scores) + len(ood_scores)
    found = intervals.detection(id_scores, ood_scores, resamples=resamples, seed=seed)
    return [
        row(
            metric + suffix,
            interval,
            cell=cell,
            entry=f"{cell.entry}+{cell.detector}",
            n=n,
            base_rate=(len(id_scores) if metric == "aupr_id" else len(ood_scores)) / n,
            unit="fraction" if metric in FRACTIONS else "",
            files=[id_cell, cell, *sources],
        )
        for metric, interval in found.items()
    ]

"""Whether classifiers that the same images fool agree on the wrong class."""

from __future__ import annotations

import numpy as np

from touchstone.evaluations.statistics.estimators import correct
from touchstone.evaluations.statistics.rows import only, rate_row, rows_of, with_means
from touchstone.evaluations.statistics.threats import network
from touchstone.records.metric_tables import MetricRow
from touchstone.records.nouns import Cell

METRICS = ("agreement_when_both_wrong", "agreement_on_fooling", "transfer_error")


def agreement(outputs: list[Cell]) -> list[MetricRow]:
    """Measure how often classifiers agree on the class of images that were made to fool another classifier.

    Args:
        outputs: of each classifier seed on sets that attacked other classifiers (transfer), and of the attacked
            classifiers on the same sets.

    Returns:
        Rows per classifier and attacked set, then means over seeds. Metrics, with exact binomial intervals:

        - agreement_when_both_wrong: of the images that both get wrong, the share that both take for the same class; no
          row if there are no such images.
        - agreement_on_fooling: of the images that fool the attacked classifier, the share that the other takes for the
          same class.
        - transfer_error: the other classifier's error on all images.

    Raises:
        ValueError: the attacked classifier's own outputs are missing.

    References:
        Goodfellow et al. 2015, section 8; docs/papers/fgsm.md.
    """
    attacked = [cell for cell in outputs if cell.attack and not cell.translator]
    return with_means([row for cell in attacked if cell.victim != network(cell) for row in _rows(cell, attacked)])


def _rows(cell: Cell, attacked: list[Cell]) -> list[MetricRow]:
    same_set = [c for c in attacked if (c.examples, c.attack, c.victim) == (cell.examples, cell.attack, cell.victim)]
    fooled = only((c for c in same_set if network(c) == c.victim), f"outputs of {cell.victim} on what attacked it")
    same = rows_of(cell.noun.example_ids, fooled.noun.example_ids, cell.file)
    seen, seen_by_fooled = cell.noun.predictions[same], fooled.noun.predictions
    wrong, wrong_too = (~correct(predictions, fooled.noun.labels) for predictions in (seen_by_fooled, seen))
    agree = seen == seen_by_fooled
    hits_of = {
        "agreement_when_both_wrong": (agree, wrong & wrong_too),
        "agreement_on_fooling": (agree, wrong),
        "transfer_error": (wrong_too, np.ones(len(wrong), dtype=bool)),
    }
    ids = fooled.noun.example_ids
    return [
        rate_row(metric, hits, cell, among=among, ids=ids, files=[cell, fooled])
        for metric, (hits, among) in hits_of.items()
        if among.any()
    ]

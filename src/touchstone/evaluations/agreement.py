"""Whether classifiers that the same images fool agree on the wrong class."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from touchstone.contracts import NonNegativeInt, PositiveInt
from touchstone.evaluations.statistics import intervals
from touchstone.evaluations.statistics.estimators import Array, correct
from touchstone.evaluations.statistics.pairing import partners, require_outputs
from touchstone.evaluations.statistics.rows import only, rate_row, row, rows_of, with_means
from touchstone.evaluations.statistics.seed_intervals import SIGNED
from touchstone.evaluations.statistics.threats import network
from touchstone.records.metric_tables import MetricRow
from touchstone.records.nouns import Cell

METRICS = ("agreement_when_both_wrong", "agreement_on_fooling", "transfer_error", "agreement_on_fooling_minus_*")


def agreement(
    outputs: list[Cell],
    *,
    against: list[str] = [],  # noqa: B006 - a literal that the registry reads; never written to
    resamples: PositiveInt = 1000,
    bootstrap_seed: NonNegativeInt = 0,
) -> list[MetricRow]:
    """Measure how often classifiers agree on the class of images that were made to fool another classifier.

    Args:
        outputs: of each classifier seed on sets that attacked other classifiers (transfer), and of the attacked
            classifiers on the same sets.
        against: classifiers whose agreement is subtracted from that of the others on the same set. It is that of the
            same seed, or of the only one.

    Returns:
        Rows per classifier and attacked set, then means over seeds. Shares have exact binomial intervals, differences have
        bootstrap ones. Metrics:

        - agreement_when_both_wrong: of the images that both get wrong, the share that both take for the same class; no
          row if there are no such images.
        - agreement_on_fooling: of the images that fool the attacked classifier, the share that the other takes for the
          same class.
        - transfer_error: the other classifier's error on all images.
        - agreement_on_fooling_minus_CLASSIFIER: agreement_on_fooling minus that of a classifier in `against`, paired by
          image.

    Raises:
        ValueError: the attacked classifier's own outputs are missing, or a classifier in `against` has none.

    References:
        Goodfellow et al. 2015, section 8; docs/papers/fgsm.md.
    """
    require_outputs(against, outputs)
    attacked = [cell for cell in outputs if cell.attack and not cell.translator]
    rows: list[MetricRow] = []
    for cell in attacked:
        if cell.victim != network(cell):
            same_set = [
                c for c in attacked if (c.examples, c.attack, c.victim) == (cell.examples, cell.attack, cell.victim)
            ]
            fooled = only(
                (c for c in same_set if network(c) == c.victim), f"outputs of {cell.victim} on what attacked it"
            )
            rows += _rows(cell, fooled)
            bases = partners(cell, against, same_set)
            rows += _rows_against(cell, fooled, [c for c in bases if c is not fooled], resamples, bootstrap_seed)
    return with_means(rows)


def _rows(cell: Cell, fooled: Cell) -> list[MetricRow]:
    wrong = ~correct(fooled.noun.predictions, fooled.noun.labels)
    wrong_too = ~correct(_seen(cell, fooled), fooled.noun.labels)
    agree = _seen(cell, fooled) == fooled.noun.predictions
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


def _rows_against(cell: Cell, fooled: Cell, bases: list[Cell], resamples: int, seed: int) -> Iterator[MetricRow]:
    """Yield the differences to other classifiers on the same images; none if these fool nobody."""
    order = np.argsort(fooled.noun.example_ids)  # the interval must not depend on the order of rows
    predictions = fooled.noun.predictions
    among = ~correct(predictions, fooled.noun.labels)[order]
    for base in bases if among.any() else []:
        first, second = ((_seen(one, fooled) == predictions)[order].astype(np.float64) for one in (cell, base))
        mean = intervals.mean(first - second, resamples=resamples, seed=seed, method=SIGNED, among=among)
        metric, files = f"agreement_on_fooling_minus_{base.entry}", [cell, base, fooled]
        yield row(metric, mean, cell=cell, n=int(among.sum()), files=files, unit="difference of fractions")


def _seen(cell: Cell, fooled: Cell) -> Array:
    """Return the classes that a classifier predicts for the images of another's outputs, in their order."""
    return np.asarray(cell.noun.predictions[rows_of(cell.noun.example_ids, fooled.noun.example_ids, cell.file)])

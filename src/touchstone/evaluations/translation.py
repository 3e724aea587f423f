"""How translating images back changes accuracy, and the images."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from touchstone.contracts import NonNegativeInt, PositiveInt
from touchstone.evaluations.statistics import intervals
from touchstone.evaluations.statistics.estimators import Array, correct
from touchstone.evaluations.statistics.intervals import Sampling
from touchstone.evaluations.statistics.rows import grouped, of_images, only, rate_row, row, rows_of, with_means
from touchstone.evaluations.statistics.seed_intervals import SIGNED
from touchstone.evaluations.statistics.threats import network, seedless
from touchstone.records.metric_tables import MetricRow
from touchstone.records.nouns import Cell

METRICS = (
    "accuracy", "accuracy_gain", "accuracy_minus_*", "reconstruction_error", "identity_error", "reconstruction_gain",
)  # fmt: skip
UNIT = "difference of fractions"


def translation(
    outputs: list[Cell],
    examples: list[Cell],
    *,
    against: list[str] = [],  # noqa: B006 - a literal that the registry reads; never written to
    resamples: PositiveInt = 1000,
    bootstrap_seed: NonNegativeInt = 0,
) -> list[MetricRow]:
    """Measure accuracy before and after translation, and how well translators restore images.

    Args:
        outputs: of each classifier seed on a set, clean, attacked, and both translated.
        examples: the same sets as images.
        against: translators whose accuracy is subtracted from that of the others.

    Returns:
        Accuracy rows per classifier and reconstruction rows per translator, the latter with the seed of the attacked network
        if there is one; then means over seeds. Metrics:

        - accuracy of each set, with its exact binomial interval.
        - accuracy_gain: translated minus untranslated, paired.
        - accuracy_minus_TRANSLATOR: minus the same set translated by one of `against`, paired; the gains differ by as
          much.
        - reconstruction_error, in pixels: the mean absolute difference of the translated image to the unattacked one.
        - identity_error, of attacked sets: that of the image before translation, which a translator has to beat.
        - reconstruction_gain, in pixels: identity_error minus reconstruction_error, paired; above 0 if translating helps.

    Raises:
        ValueError: the untranslated or the clean set is missing, or a translator in `against` has translated nothing.

    References:
        docs/papers/translation.md, "Protocol".
    """
    translators = {seedless(cell.translator) for cell in outputs}
    if missing := sorted(set(against) - translators):
        raise ValueError(f"no outputs of sets translated by {missing[0]}")
    sampling: Sampling = {"resamples": resamples, "seed": bootstrap_seed}
    rows: list[MetricRow] = []
    for group in grouped(outputs, lambda cell: (network(cell), cell.examples)).values():
        for cell in group:
            rows.append(rate_row("accuracy", _right(cell, cell.noun.example_ids), cell))
            if cell.translator:
                rows.append(_difference("accuracy_gain", cell, _untranslated(cell, group), sampling))
                rows += [
                    _difference(f"accuracy_minus_{seedless(other.translator)}", cell, other, sampling)
                    for other in _otherwise_translated(cell, group, against)
                ]
    for group in grouped(examples, lambda cell: cell.examples).values():
        for cell in group:
            rows += _reconstruction(cell, group, sampling) if cell.translator else []
    return with_means(rows)


def _untranslated(cell: Cell, group: list[Cell]) -> Cell:
    same = [c for c in group if not c.translator and (c.attack, c.victim) == (cell.attack, cell.victim)]
    return only(same, f"{cell.examples} {cell.attack} without {cell.translator}".replace("  ", " "))


def _right(cell: Cell, ids: Array) -> Array:
    return correct(cell.noun.predictions, cell.noun.labels)[rows_of(cell.noun.example_ids, ids, cell.file)]


def _otherwise_translated(cell: Cell, group: list[Cell], translators: list[str]) -> list[Cell]:
    """Return the same set as other translators return it."""
    return [
        other
        for other in group
        if (other.attack, other.victim) == (cell.attack, cell.victim)
        and other.translator != cell.translator
        and seedless(other.translator) in translators
    ]


def _difference(metric: str, cell: Cell, less: Cell, sampling: Sampling) -> MetricRow:
    ids = np.sort(cell.noun.example_ids)
    differences = _right(cell, ids).astype(np.float64) - _right(less, ids)
    interval = intervals.mean(differences, method=SIGNED, **sampling)
    return row(metric, interval, cell=cell, n=len(ids), unit=UNIT, files=[less, cell])


def _distance(cell: Cell, clean: Cell, ids: Array) -> Array:
    first, second = (c.noun.images[rows_of(c.noun.example_ids, ids, c.file)].astype(np.float64) for c in (cell, clean))
    return np.asarray(np.abs(first - second).mean(axis=(1, 2, 3)))


def _reconstruction(cell: Cell, group: list[Cell], sampling: Sampling) -> list[MetricRow]:
    before = _untranslated(cell, group)
    clean = only((c for c in group if not c.translator and not c.attack), f"clean {cell.examples}")
    ids = np.sort(cell.noun.example_ids)
    error, identity = _distance(cell, clean, ids), _distance(before, clean, ids)
    measurements = {"reconstruction_error": (error, "pixels", [cell, clean])}
    if before is not clean:  # which has no error to lessen
        measurements |= {
            "identity_error": (identity, "pixels", [before, clean]),
            "reconstruction_gain": (identity - error, "difference of pixels", [cell, before, clean]),
        }
    # A translator of one seed may translate images that were made on several networks.
    of_victim = of_images(replace(cell, translator="")).seed if cell.victim else None
    about = of_images(cell) if of_victim is None else replace(of_images(cell), seed=of_victim)
    new = partial(row, cell=about, entry=seedless(cell.translator), n=len(ids))
    return [
        new(metric, intervals.mean(values, **sampling), files=files, unit=unit)
        for metric, (values, unit, files) in measurements.items()
    ]

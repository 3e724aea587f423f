"""How often an attacker gets past a classifier and its detector at once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from touchstone.records.metric_rows import ADAPTIVE, Threat
from touchstone.records.metric_tables import MetricRow
from touchstone.records.nouns import Cell
from touchstone.statistics import intervals
from touchstone.statistics.estimators import Array, correct
from touchstone.statistics.rows import clean_outputs, grouped, only, rate_row, row, rows_of, with_means
from touchstone.statistics.threats import network

METRICS = ("evasion_rate_at_*", "wrong_rate", "flagged_rate_at_*", "no_score_gradient", "no_score_gradient_clean")


def evasion(outputs: list[Cell], scores: list[Cell], detectors: list[Cell], examples: list[Cell]) -> list[MetricRow]:
    """Measure how often an attack is misclassified and not flagged by the detector.

    Args:
        outputs, scores: of each classifier and detector on clean and attacked sets. Attacks are oblivious (made on the
            classifier only) or adaptive (made on classifier and detector together).
        detectors: with their thresholds.
        examples: the attacked images, whose notes say where the score has no gradient.

    Returns:
        Rows per classifier seed, detector and set, then means over seeds, with exact binomial intervals. Rows on
        SET/worst count an input if any of the attacks got past, because an attacker who knows the detector can also use
        attacks that ignore it. Only adaptive rows can support a claim. Metrics:

        - evasion_rate_at_F: the share of all inputs that are misclassified and not flagged, at the threshold of
          false-positive rate F on calibration data (SR@F).
        - wrong_rate: the share that is misclassified, flagged or not.
        - flagged_rate_at_F: of clean sets, the false-positive rate that was reached.
        - no_score_gradient, no_score_gradient_clean: the share of images, after and before an adaptive attack, at which
          the detector's score has a gradient of exactly zero. If it is large, an attack that follows gradients says
          little.

    References:
        docs/papers/shared.md, "Adaptive attacks".
    """
    rows: list[MetricRow] = []
    for group in grouped(scores, lambda cell: (network(cell), cell.detector, cell.examples)).values():
        rows += _worst([cell for cell in group if cell.attack], outputs, detectors)
    for cell in scores:
        guard = _guard(detectors, cell)
        for rate, threshold in sorted(guard.noun.thresholds.items(), key=lambda item: float(item[0])):
            flagged = cell.noun.scores > threshold
            if not cell.attack:
                rows.append(_rate(f"flagged_rate_at_{rate}", flagged, cell, [cell, guard]))
            else:
                out = _of(outputs, cell)
                rows.append(_rate(f"evasion_rate_at_{rate}", _wrong(out, cell) & ~flagged, cell, [cell, out, guard]))
        if cell.attack:
            out = _of(outputs, cell)
            rows.append(_rate("wrong_rate", _wrong(out, cell), cell, [out]))
        else:
            clean = clean_outputs(outputs, cell)
            rows.append(_rate("wrong_rate", _wrong(clean, cell), cell, [clean]))
    for cell in examples:
        rows += _gradients(cell)
    return with_means(rows)


def _gradients(cell: Cell) -> list[MetricRow]:
    """Return the shares of images without a gradient that an adaptive attack noted."""
    named = [name for name in ("no_score_gradient", "no_score_gradient_clean") if name in cell.noun.notes]
    rows = []
    for name in named:
        seen = replace(cell, detector=cell.victim.partition("+")[2].partition("@")[0])
        count = round(cell.noun.notes[name] * len(cell.noun))
        interval = intervals.binomial(count, len(cell.noun))
        entry = f"{seen.entry}+{seen.detector}"
        rows.append(row(name, interval, cell=seen, entry=entry, n=len(cell.noun), files=[cell]))
    return rows


def _guard(detectors: list[Cell], cell: Cell) -> Cell:
    fitted = (
        detector for detector in detectors if (network(detector), detector.detector) == (network(cell), cell.detector)
    )
    return only(fitted, f"detector {cell.detector} of {network(cell)}")


def _worst(attacked: list[Cell], outputs: list[Cell], detectors: list[Cell]) -> list[MetricRow]:
    """Return the evasion rates of all attacks on one set combined, if at least one of them is adaptive."""
    adaptive = [cell for cell in attacked if "+" in cell.victim]
    if not adaptive or len(attacked) < 2:
        return []
    guard, ids = _guard(detectors, attacked[0]), attacked[0].noun.example_ids
    names = tuple(sorted({cell.attack for cell in attacked}))
    rows = []
    for rate, threshold in sorted(guard.noun.thresholds.items(), key=lambda item: float(item[0])):
        past = np.zeros(len(ids), dtype=bool)
        for cell in attacked:
            unflagged = cell.noun.scores <= threshold
            past |= (_wrong(_of(outputs, cell), cell) & unflagged)[rows_of(cell.noun.example_ids, ids, cell.file)]
        one = _rate(f"evasion_rate_at_{rate}", past, adaptive[0], [*attacked, guard], ids)
        rows.append(replace(one, examples=f"{adaptive[0].examples}/worst", threat=Threat(ADAPTIVE, worst_of=names)))
    return rows


def _of(outputs: list[Cell], cell: Cell) -> Cell:
    """Return the outputs of the cell's classifier on the cell's attacked set."""
    place = (network(cell), cell.examples, cell.victim, cell.attack, cell.translator)
    same = (out for out in outputs if (network(out), out.examples, out.victim, out.attack, out.translator) == place)
    return only(same, f"outputs of {network(cell)} on {cell.examples} under {cell.attack} of {cell.victim}")


def _wrong(out: Cell, cell: Cell) -> Array:
    """Return where the prediction is not the label, in the order of the cell's rows."""
    rows = rows_of(out.noun.example_ids, cell.noun.example_ids, out.file)
    return np.asarray(~correct(out.noun.predictions, out.noun.labels)[rows])


def _rate(metric: str, hits: Array, cell: Cell, files: list[Cell], ids: Array | None = None) -> MetricRow:
    return rate_row(metric, hits, cell, ids=ids, files=files, entry=f"{cell.entry}+{cell.detector}")

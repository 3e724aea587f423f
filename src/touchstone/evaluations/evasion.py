"""How often an attacker gets past a classifier and its detector at once."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from touchstone.evaluations._attack_checks import against_oblivious
from touchstone.evaluations._unions import Union, unions
from touchstone.evaluations.statistics import intervals
from touchstone.evaluations.statistics.estimators import Array, correct
from touchstone.evaluations.statistics.intervals import Interval
from touchstone.evaluations.statistics.rows import (
    attacked_outputs,
    clean_outputs,
    grouped,
    only,
    rate_row,
    row,
    rows_of,
    with_means,
)
from touchstone.evaluations.statistics.threats import network
from touchstone.evaluations.statistics.threshold_intervals import Threshold, of_detector, share_at
from touchstone.records.metric_tables import MetricRow
from touchstone.records.nouns import Cell

METRICS = (
    "evasion_rate_at_*", "wrong_rate", "flagged_rate_at_*", "no_score_gradient", "no_score_gradient_clean",
    "oblivious_only_share_at_*", "evades_less_than_oblivious", "*_passed",
)  # fmt: skip


def evasion(
    outputs: list[Cell],
    scores: list[Cell],
    detectors: list[Cell],
    examples: list[Cell],
    calibration_scores: list[Cell],
) -> list[MetricRow]:
    """Measure how often an attack is misclassified and not flagged by the detector.

    Args:
        outputs, scores: of each classifier and detector on clean and attacked sets. Attacks are oblivious (made on the
            classifier only) or adaptive (made on classifier and detector together).
        detectors: with their thresholds.
        examples: the attacked images, whose notes say where the score has no gradient.
        calibration_scores: of each detector on the images that gave its thresholds.

    Returns:
        Rows per classifier seed, detector and set, then means over seeds. Intervals of rates at a threshold also cover
        other calibration images, which would have given another threshold; those of other rates are exact binomial
        ones. Attacked images stay as they are, although an attack may have aimed at the threshold. Rows on SET/worst
        count an input if any attack of the same norm and eps succeeds, because an attacker who knows the detector can also
        use attacks that ignore it; with several budgets there is one such place each, like SET/worst_linf@0.1. Only
        adaptive rows can support a claim. Metrics:

        - evasion_rate_at_F: the share of all inputs that are misclassified and not flagged, at the threshold of
          false-positive rate F on calibration data (SR@F).
        - oblivious_only_share_at_F: of the images that get past on SET/worst, the share that no adaptive attack brought
          past. If it is large, the adaptive attacks are weak.
        - wrong_rate: the share that is misclassified, flagged or not.
        - evades_less_than_oblivious, a check: the most that an attack which ignores the detector gets past, minus the most
          that an adaptive one does, at the threshold that the adaptive attacks know.
        - flagged_rate_at_F: of clean sets, the false-positive rate that was reached.
        - no_score_gradient, no_score_gradient_clean: the share of images, after and before an adaptive attack, at which
          the detector's score has a gradient of exactly zero. If it is large, an attack that follows gradients says
          little.

    References:
        docs/papers/shared.md, "Adaptive attacks".
    """
    rows: list[MetricRow] = []
    guards = {(network(cell), cell.detector): _guard(cell, calibration_scores) for cell in detectors}
    for group in grouped(scores, lambda cell: (network(cell), cell.detector, cell.examples)).values():
        for union in unions(group, lambda cell: "+" in cell.victim):
            rows += _worst(union, outputs, guards)
    for cell in scores:
        out = attacked_outputs(outputs, cell) if cell.attack else clean_outputs(outputs, cell)
        guard = _guarding(guards, cell)
        for rate, threshold in guard.thresholds.items():
            if cell.attack:
                past = share_at(threshold, _in_order(_evasion_threshold(out, cell), cell), below=True, above=False)
                rows.append(_row(f"evasion_rate_at_{rate}", past, cell, [cell, out, *guard.cells]))
            else:
                flagged = share_at(threshold, _in_order(cell.noun.scores, cell), below=False, above=True)
                rows.append(_row(f"flagged_rate_at_{rate}", flagged, cell, [cell, *guard.cells]))
        wrong = _wrong(out, cell)
        rows.append(rate_row("wrong_rate", wrong, cell, files=[out], entry=f"{cell.entry}+{cell.detector}"))
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


@dataclass(frozen=True)
class _Guard:
    """A detector's thresholds by their false-positive rates, and the cells that they come from."""

    thresholds: dict[str, Threshold]
    cells: list[Cell]


def _guard(detector: Cell, calibration_scores: list[Cell]) -> _Guard:
    name = (network(detector), detector.detector)
    own = (cell for cell in calibration_scores if (network(cell), cell.detector) == name)
    calibration = only(own, f"calibration scores of detector {detector.detector} of {network(detector)}")
    return _Guard(of_detector(detector.noun, calibration.noun), [detector, calibration])


def _guarding(guards: dict[tuple[str, str], _Guard], cell: Cell) -> _Guard:
    guard = guards.get((network(cell), cell.detector))
    if guard is None:
        raise ValueError(f"{cell.file}: detector {cell.detector} of {network(cell)} is not given")
    return guard


def _worst(union: Union, outputs: list[Cell], guards: dict[tuple[str, str], _Guard]) -> list[MetricRow]:
    """Return the rates of all attacks of one budget combined."""
    attacked, adaptive = union.attacks, union.known
    guard, ids = _guarding(guards, attacked[0]), np.sort(attacked[0].noun.example_ids)
    # Per attack, the threshold at and above which an image gets past.
    each = {
        cell.file: _evasion_threshold(attacked_outputs(outputs, cell), cell)[
            rows_of(cell.noun.example_ids, ids, cell.file)
        ]
        for cell in attacked
    }
    reach, by_adaptive = (np.minimum.reduce([each[cell.file] for cell in cells]) for cells in (attacked, adaptive))
    entry = f"{adaptive[0].entry}+{adaptive[0].detector}"
    rows = [rate_row("wrong_rate", reach < np.inf, adaptive[0], ids=ids, files=attacked, entry=entry)]
    for rate, threshold in guard.thresholds.items():
        past = share_at(threshold, reach, below=True, above=False)
        files = [*attacked, *guard.cells]
        rows.append(_row(f"evasion_rate_at_{rate}", past, adaptive[0], files))
        if (gets_past := reach <= threshold.value).any():
            missed, metric = by_adaptive > threshold.value, f"oblivious_only_share_at_{rate}"
            rows.append(rate_row(metric, missed, adaptive[0], among=gets_past, ids=ids, files=files, entry=entry))
    combined = [replace(one, examples=union.place, threat=union.threat) for one in rows]
    aimed_at = guard.thresholds.get(adaptive[0].victim.partition("@")[2])
    if aimed_at is not None:
        rates = {file: float((own <= aimed_at.value).mean()) for file, own in each.items()}
        combined += against_oblivious("evades_less_than_oblivious", rates, attacked, adaptive, entry=entry)
    return combined


def _wrong(out: Cell, cell: Cell) -> Array:
    """Return where the prediction is not the label, in the order of the cell's rows."""
    rows = rows_of(out.noun.example_ids, cell.noun.example_ids, out.file)
    return np.asarray(~correct(out.noun.predictions, out.noun.labels)[rows])


def _evasion_threshold(out: Cell, cell: Cell) -> Array:
    """Return the score of each wrong row; infinity where the prediction is right, which no threshold lets past."""
    return np.where(_wrong(out, cell), cell.noun.scores, np.inf)


def _in_order(values: Array, cell: Cell) -> Array:
    return values[np.argsort(cell.noun.example_ids)]


def _row(metric: str, interval: Interval, cell: Cell, files: list[Cell]) -> MetricRow:
    entry = f"{cell.entry}+{cell.detector}"
    return row(metric, interval, cell=cell, entry=entry, n=len(cell.noun.scores), files=files)

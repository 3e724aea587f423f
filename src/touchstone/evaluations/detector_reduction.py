"""Whether a detector's robustness is too good to be true: the reduction from detection to classification."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from touchstone.contracts import PositiveFloat, PositiveInt, UnitInterval
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
from touchstone.evaluations.statistics.sanity_checks import PASSED
from touchstone.evaluations.statistics.seed_intervals import SIGNED
from touchstone.evaluations.statistics.threats import network, threat, white_box
from touchstone.records.metric_rows import Threat
from touchstone.records.metric_tables import MetricRow
from touchstone.records.nouns import Cell

METRICS = ("implied_accuracy_at_half", "best_known_accuracy_at_half", "implied_minus_best_known", "*_passed")
DIFFERENCE = "implied_minus_best_known"


def detector_reduction(
    outputs: list[Cell],
    scores: list[Cell],
    detectors: list[Cell],
    rival_outputs: list[Cell],
    *,
    eps: PositiveFloat = 0.1,
    false_positive_rate: UnitInterval = 0.05,
    resamples: PositiveInt = 1000,
) -> list[MetricRow]:
    """Compare the classifier that a robust detector implies at eps / 2 with the best network of the study.

    A detector that is robust at eps implies a classifier, inefficient but possible, that is at least as robust at eps / 2.
    If that classifier would beat every known network, the detector is a breakthrough, or its evaluation is too weak.

    Args:
        outputs, scores: of each classifier and detector on clean sets and on sets that were attacked at `eps`.
        detectors: with their thresholds.
        rival_outputs: of the networks to compare with, on clean sets and on sets that were attacked at eps / 2.
        eps: L-inf radius in pixel units.
        false_positive_rate: of the detector's threshold.
        resamples: bootstrap samples of an interval.

    Returns:
        Rows per classifier seed, detector and set, then means over seeds:

        - implied_accuracy_at_half: the share of images that are right and not flagged unattacked, and that no attack at
          `eps` makes wrong and not flagged.
        - best_known_accuracy_at_half: the share of images that the best rival of the same seed gets right under each attack
          at eps / 2.
        - implied_minus_best_known: the difference, paired by image.
        - implied_minus_best_known_passed: 0 if the whole interval of the difference is above 0; else 1.

    Raises:
        ValueError: no set was attacked at `eps`, no rival at eps / 2, or a detector has no threshold for the rate.

    References:
        Tramer 2022; docs/papers/shared.md, "Reduction from detection to classification".
    """
    rows: list[MetricRow] = []
    at_eps = [cell for cell in scores if cell.attack and _is_at(cell, eps) and not cell.translator]
    for group in grouped(at_eps, lambda cell: (network(cell), cell.detector, cell.examples)).values():
        rival, known, files = _best_rival(
            [c for c in rival_outputs if c.seed == group[0].seed], group[0].examples, eps / 2
        )
        held, used = _held(group, outputs, scores, detectors, f"{false_positive_rate:g}")
        ids = used[0].noun.example_ids
        right = known[rows_of(rival.noun.example_ids, ids, rival.file)]
        first = next((cell for cell in group if "+" in cell.victim), group[0])
        attacks = tuple(sorted({cell.attack for cell in group}))
        implied = replace(threat(first), worst_of=attacks if len(attacks) > 1 else (), budget=(("eps", eps),), use="")
        half = Threat("white-box", norm="linf", budget=(("eps", round(eps / 2, 6)),))
        about: dict[str, Any] = {"entry": f"{first.entry}+{first.detector}", "examples": first.examples}
        rows.append(
            rate_row("implied_accuracy_at_half", held, first, ids=ids, files=used, threat_model=implied, **about)
        )
        rows.append(
            rate_row("best_known_accuracy_at_half", right, first, ids=ids, files=files, threat_model=half, **about)
        )
        order = np.argsort(ids)
        change = held[order].astype(np.float64) - right[order]
        difference = intervals.mean(change, resamples=resamples, seed=0, method=SIGNED)
        both: dict[str, Any] = {
            "cell": first,
            "n": len(ids),
            "files": [*used, *files],
            "threat_model": implied,
            **about,
        }
        rows.append(row(DIFFERENCE, difference, unit="difference of fractions", **both))
        passed = float(difference.low is None or difference.low <= 0)
        rows.append(row(f"{DIFFERENCE}{PASSED}", Interval(passed, None, None), unit="passed", **both))
    if not rows:
        raise ValueError(f"no set was attacked at eps {eps:g}, so no detector claims anything there")
    return with_means(rows)


def _is_at(cell: Cell, eps: float) -> bool:
    return abs((threat(cell).eps or 0.0) - eps) < 1e-6 and threat(cell).norm == "linf"


def _held(
    attacked: list[Cell], outputs: list[Cell], scores: list[Cell], detectors: list[Cell], rate: str
) -> tuple[Array, list[Cell]]:
    """Return which images the guarded classifier holds against every attack, and the files behind it.

    The order is that of the first file, the scores of the clean images.
    """
    one = attacked[0]
    same = [cell for cell in scores if _subject(cell) == _subject(one)]
    clean = only(
        (cell for cell in same if not cell.attack and not cell.translator), f"scores of {one.detector} unattacked"
    )
    guard = only((c for c in detectors if (network(c), c.detector) == (network(one), one.detector)), one.detector)
    if rate not in guard.noun.thresholds:
        raise ValueError(f"{guard.file}: no threshold for the false-positive rate {rate}")
    threshold, ids = guard.noun.thresholds[rate], clean.noun.example_ids
    unattacked = clean_outputs(outputs, one)
    held = _right(unattacked, ids) & (clean.noun.scores <= threshold)
    files = [clean, unattacked, guard]
    for cell in attacked:
        out = attacked_outputs(outputs, cell)
        flagged = (cell.noun.scores > threshold)[rows_of(cell.noun.example_ids, ids, cell.file)]
        held &= _right(out, ids) | flagged
        files += [cell, out]
    return held, files


def _subject(cell: Cell) -> tuple[str, str, str]:
    return network(cell), cell.detector, cell.examples


def _best_rival(outputs: list[Cell], examples: str, eps: float) -> tuple[Cell, Array, list[Cell]]:
    """Return the clean outputs of the most robust rival, where it stays right in their order, and the files behind it."""
    candidates = []
    attacked = [c for c in outputs if c.examples == examples and white_box(c) and _is_at(c, eps)]
    for cells in grouped(attacked, network).values():
        clean = clean_outputs(outputs, cells[0])
        ids = clean.noun.example_ids
        right = correct(clean.noun.predictions, clean.noun.labels)
        for cell in cells:
            right = right & _right(cell, ids)
        candidates.append((clean, right, [clean, *cells]))
    if not candidates:
        raise ValueError(f"no rival was attacked at eps {eps:g} on {examples}, so there is nothing to compare with")
    return max(candidates, key=lambda candidate: float(candidate[1].mean()))


def _right(cell: Cell, ids: Array) -> Array:
    """Return where the prediction is the label, in the order of `ids`."""
    return np.asarray(correct(cell.noun.predictions, cell.noun.labels)[rows_of(cell.noun.example_ids, ids, cell.file)])

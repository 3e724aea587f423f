"""Whether attacks on a classifier and its detector together behave as attacks must."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from touchstone.contracts import PositiveFloat, UnitInterval
from touchstone.evaluations._attack_checks import BLACK_BOX, check_rows, eps_of, equal_budget, ladder
from touchstone.records.metric_rows import ADAPTIVE
from touchstone.records.metric_tables import MetricRow
from touchstone.records.nouns import Cell
from touchstone.statistics.estimators import correct
from touchstone.statistics.rows import attacked_outputs, grouped, rows_of, with_means
from touchstone.statistics.threats import network, threat, use_of

METRICS = (
    "rise_with_eps", "left_at_large_eps", "worse_than_oblivious", "worse_than_black_box", "worse_than_another_attack",
    "*_passed",
)  # fmt: skip
Kept = dict[str, float]  # file of scores -> the share of images that are right or flagged


def detector_sanity(
    outputs: list[Cell],
    scores: list[Cell],
    detectors: list[Cell],
    *,
    checked: list[str],
    large_eps: PositiveFloat = 0.3,
    false_positive_rate: UnitInterval = 0.05,
) -> list[MetricRow]:
    """Check attacks that know a detector against each other and against attacks that ignore it.

    An attack on classifier and detector together has to be wrong and not flagged. So of the images that it leaves, those
    count that are right or flagged: the accuracy of a classifier that abstains on flagged images.

    Args:
        outputs, scores: of each classifier and detector on sets that were attacked with and without knowledge of the
            detector. A check is made if its files are there.
        detectors: with their thresholds.
        checked: the attacks to check. The others are what they are compared with.
        large_eps: from which an attack should leave nothing.
        false_positive_rate: of the threshold.

    Returns:
        Two rows per check, classifier seed, detector and attack: the value, and CHECK_passed (1 or 0); then means over
        seeds. The checks and their bounds: statistics/sanity_checks.py. Values are about exactly these inputs, so they
        have no interval.

    Raises:
        ValueError: there is nothing to check, or a detector has no threshold for the rate.

    References:
        Carlini et al. 2019; docs/papers/shared.md, "Checks of an attack".
    """
    thresholds = {
        (network(cell), cell.detector): cell.noun.thresholds[f"{false_positive_rate:g}"]
        for cell in detectors
        if f"{false_positive_rate:g}" in cell.noun.thresholds
    }
    rows: list[MetricRow] = []
    attacked = [cell for cell in scores if cell.attack and not cell.translator]
    for (net, detector, _), cells in grouped(attacked, lambda c: (network(c), c.detector, c.examples)).items():
        if (net, detector) not in thresholds:
            raise ValueError(
                f"{detector} of {net} has no threshold for the false-positive rate {false_positive_rate:g}"
            )
        made_on = {cell.file: attacked_outputs(outputs, cell) for cell in cells}
        kept = {cell.file: _kept(made_on[cell.file], cell, thresholds[net, detector]) for cell in cells}
        for main in (cell for cell in cells if _adaptive(cell) and cell.attack in checked):
            for check, value, files in _checks(main, cells, kept, checked, large_eps):
                used = [*files, *(made_on[cell.file] for cell in files)]
                rows += check_rows(check, value, main, used, entry=f"{main.entry}+{main.detector}")
    if not rows:
        raise ValueError(f"no set was attacked by {', '.join(checked)} with knowledge of a detector")
    return with_means(rows)


def _checks(
    main: Cell, cells: list[Cell], kept: Kept, checked: list[str], large_eps: float
) -> Iterator[tuple[str, float, list[Cell]]]:
    """Yield each check of one attack for which there are files: its name, its value, and the scores."""
    left = kept[main.file]
    rungs = ladder([cell for cell in cells if _adaptive(cell) and cell.attack in checked], main, "eps")
    if len(rungs) > 1 and rungs[0] is main:  # once for each ladder
        yield "rise_with_eps", max(kept[more.file] - kept[less.file] for less, more in pairwise(rungs)), rungs
    if eps_of(main) >= large_eps:
        yield "left_at_large_eps", left, [main]
    rivals = [cell for cell in cells if cell.attack not in checked and equal_budget(cell, main)]
    for check, others in (
        ("worse_than_oblivious", [cell for cell in rivals if not _adaptive(cell)]),
        ("worse_than_black_box", [cell for cell in rivals if _adaptive(cell) and use_of(cell) in BLACK_BOX]),
        ("worse_than_another_attack", [cell for cell in rivals if _adaptive(cell) and use_of(cell) not in BLACK_BOX]),
    ):
        if others:
            yield check, left - min(kept[cell.file] for cell in others), [main, *others]


def _adaptive(cell: Cell) -> bool:
    """Return whether the attack knew the detector that the cell's scores are of."""
    return threat(cell).knowledge == ADAPTIVE


def _kept(out: Cell, cell: Cell, threshold: float) -> float:
    """Return the share of images that are right, or flagged at the threshold."""
    right = correct(out.noun.predictions, out.noun.labels)[
        rows_of(out.noun.example_ids, cell.noun.example_ids, out.file)
    ]
    return float((right | (cell.noun.scores > threshold)).mean())

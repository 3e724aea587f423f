"""Whether attacks on a detector's score behave as attacks must."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from touchstone.evaluations._attack_checks import BLACK_BOX, check_rows, equal_budget, ladder
from touchstone.records.metric_rows import ADAPTIVE
from touchstone.records.metric_tables import MetricRow
from touchstone.records.nouns import Cell
from touchstone.statistics.estimators import auroc
from touchstone.statistics.rows import MEAN, grouped, only, with_means
from touchstone.statistics.threats import network, threat, use_of

METRICS = (
    "rise_with_eps", "change_with_doubled_steps", "worse_than_oblivious", "worse_than_black_box",
    "worse_than_another_attack", "*_passed",
)  # fmt: skip
Left = dict[str, float]  # attack -> the mean AUROC over OOD sets that it leaves


def score_sanity(scores: list[Cell], *, id_examples: str, checked: list[str]) -> list[MetricRow]:
    """Check attacks on a score against each other and against attacks that ignore the detector.

    What an attack leaves is the AUROC with both sides attacked, the mean over OOD sets.

    Args:
        scores: of each classifier and detector on `id_examples` and on OOD sets, under each attack. A check is made if its
            files are there.
        id_examples: the in-distribution set.
        checked: the attacks to check. The others are what they are compared with.

    Returns:
        Two rows per check, classifier seed, detector and attack, on mean_of_sets/ATTACK: the value, and CHECK_passed (1 or
        0); then means over seeds. The checks and their bounds: statistics/sanity_checks.py. Values are about exactly these
        inputs, so they have no interval.

    Raises:
        ValueError: there is nothing to check, or an attack was made on no OOD set.

    References:
        Carlini et al. 2019; docs/papers/shared.md, "Checks of an attack".
    """
    rows: list[MetricRow] = []
    attacked = [cell for cell in scores if cell.attack and not cell.translator]
    for cells in grouped(attacked, lambda cell: (network(cell), cell.detector)).values():
        by_attack = grouped(cells, lambda cell: cell.attack)
        mains = {attack: _on_ood(under, id_examples)[0] for attack, under in by_attack.items()}
        left = {attack: _left(under, id_examples) for attack, under in by_attack.items()}
        for main in (main for attack, main in mains.items() if attack in checked):
            for check, value, others in _checks(main, list(mains.values()), left, checked):
                used = [cell for other in others for cell in by_attack[other.attack]]
                entry, examples = f"{main.entry}+{main.detector}", f"{MEAN}/{main.attack}"
                rows += check_rows(check, value, main, used, entry=entry, examples=examples)
    if not rows:
        raise ValueError(f"no score was attacked by {', '.join(checked)} and by another attack")
    return with_means(rows)


def _left(cells: list[Cell], id_examples: str) -> float:
    normal = only((cell for cell in cells if cell.examples == id_examples), f"attacked scores of {id_examples}")
    return float(np.mean([auroc(normal.noun.scores, cell.noun.scores) for cell in _on_ood(cells, id_examples)]))


def _on_ood(cells: list[Cell], id_examples: str) -> list[Cell]:
    """Return the scores of one attack on OOD sets."""
    if others := [cell for cell in cells if cell.examples != id_examples]:
        return others
    about = f"{network(cells[0])} and {cells[0].detector} under {cells[0].attack}"
    raise ValueError(f"no attacked scores of {about} on an OOD set: name one in attacked")


def _checks(main: Cell, attacks: list[Cell], left: Left, checked: list[str]) -> Iterator[tuple[str, float, list[Cell]]]:
    """Yield each check of one attack for which there are files: its name, its value, and the attacks compared."""
    own = left[main.attack]
    aware = [cell for cell in attacks if threat(cell).knowledge == ADAPTIVE]
    knows = {cell.attack for cell in aware}
    rungs = ladder([cell for cell in aware if cell.attack in checked], main, "eps")
    if len(rungs) > 1 and rungs[0] is main:  # once for each ladder
        yield "rise_with_eps", max(left[more.attack] - left[less.attack] for less, more in pairwise(rungs)), rungs
    for doubled in ladder(aware, main, "steps"):
        if doubled.settings["steps"] == 2 * main.settings["steps"]:
            yield "change_with_doubled_steps", abs(left[doubled.attack] - own), [main, doubled]
    rivals = [cell for cell in attacks if cell.attack not in checked and equal_budget(cell, main)]
    for check, others in (
        ("worse_than_oblivious", [cell for cell in rivals if cell.attack not in knows]),
        ("worse_than_black_box", [cell for cell in rivals if cell.attack in knows and use_of(cell) in BLACK_BOX]),
        (
            "worse_than_another_attack",
            [cell for cell in rivals if cell.attack in knows and use_of(cell) not in (*BLACK_BOX, use_of(main))],
        ),
    ):
        if others:
            yield check, own - min(left[cell.attack] for cell in others), [main, *others]

"""Whether attacks behave as attacks must: the checks of Carlini et al. 2019 on a study's own files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

from touchstone.contracts import PositiveFloat, UnitInterval
from touchstone.evaluations._attack_checks import BLACK_BOX, check_rows, eps_of, equal_budget, ladder, norm_of
from touchstone.evaluations.statistics.estimators import Array, accuracy, correct, point
from touchstone.evaluations.statistics.rows import (
    MEAN,
    attacked_outputs,
    clean_outputs,
    grouped,
    only,
    rows_of,
    with_means,
)
from touchstone.evaluations.statistics.threats import network, threat, use_of, white_box
from touchstone.records.metric_rows import ADAPTIVE
from touchstone.records.metric_tables import MetricRow
from touchstone.records.nouns import Cell

METRICS = (
    "change_at_eps_0", "rise_with_eps", "rise_with_steps", "rise_with_restarts", "change_with_doubled_steps",
    "left_at_large_eps", "worse_than_single_step", "worse_than_transfer", "worse_than_noise", "worse_than_black_box",
    "worse_than_oblivious", "worse_than_another_attack", "loss_rises", "*_passed",
)  # fmt: skip
NOISE = ("random_sign", "uniform_noise")
SINGLE_STEP = "fgsm"


def checks(
    outputs: list[Cell],
    scores: list[Cell],
    detectors: list[Cell],
    *,
    main_eps: PositiveFloat = 0.1,
    large_eps: PositiveFloat = 0.5,
    random: list[str] = [],  # noqa: B006 - a literal that the registry reads; never written to
    checked: list[str] = [],  # noqa: B006 - a literal that the registry reads; never written to
    id_examples: str | None = None,
    false_positive_rate: UnitInterval = 0.05,
) -> list[MetricRow]:
    """Check attacks against each other, against noise, black-box and transferred attacks, and those that know less.

    A check compares what attacks leave:

    - of a network or a defence, its accuracy;
    - of a network with a detector, the share of images that are right or flagged;
    - of a detector's score, if `id_examples` is given, the AUROC with both sides attacked, the mean over OOD sets.

    Args:
        outputs: of networks on a clean set and on attacked versions of it: one attack at several eps, steps and
            restarts, noise, black-box and transferred attacks. A check is made if its files are there.
        scores: of each network and detector, if there are detectors, on sets that were attacked with and without
            knowledge of the detector.
        detectors: with their thresholds.
        main_eps: at which attacks on networks are compared.
        large_eps: from which an attack should leave nothing.
        random: networks that draw random numbers. Attacks raise their mean loss, and that of one draw may fall by
            chance, so loss_rises is not checked.
        checked: with detectors, the attacks to check. The others are what they are compared with.
        id_examples: the in-distribution set of attacks on scores.
        false_positive_rate: of the threshold at which a detector flags.

    Returns:
        Two rows per check, network seed (with its detector) and attack: the value, and CHECK_passed (1 or 0); then means
        over seeds. Attacks on scores are on mean_of_sets/ATTACK. The checks and their bounds:
        evaluations/statistics/sanity_checks.py. Values are about exactly these inputs, so they have no interval.

    Raises:
        ValueError: there is nothing to check, a detector has no threshold for the rate, or a score was attacked on no OOD
            set.

    References:
        Carlini et al. 2019; docs/papers/shared.md, "Checks of an attack".
    """
    if id_examples is not None:
        return with_means(_of_scores(scores, id_examples, checked, large_eps))
    if scores or checked:
        return with_means(_of_detectors(outputs, scores, detectors, checked, large_eps, false_positive_rate))
    return with_means(_of_networks(outputs, main_eps, large_eps, random))


def _of_networks(outputs: list[Cell], main_eps: float, large_eps: float, random: list[str]) -> list[MetricRow]:
    """Return the checks of white-box attacks on networks and defences."""
    rows: list[MetricRow] = []
    for own in grouped((c for c in outputs if white_box(c)), lambda cell: (network(cell), cell.examples)).values():
        clean = clean_outputs(outputs, own[0])
        transferred = [
            c for c in outputs if _same_inputs(c, clean) and c.attack and not white_box(c) and not c.translator
        ]
        for (use, _), cells in grouped(own, lambda cell: (use_of(cell), norm_of(cell))).items():
            main = _main(cells, main_eps)
            if main is not None and use not in NOISE:
                others = [cell for cell in own if use_of(cell) != use and equal_budget(cell, main)]
                for check, value, files in _network_checks(main, cells, others, transferred, clean, large_eps):
                    rows += check_rows(check, value, main, files)
                if main.entry not in random:
                    rows += check_rows("loss_rises", _rising(main, clean), main, [main, clean])
                noise = [cell for cell in others if use_of(cell) in NOISE]
                for cell in transferred if noise else []:
                    if cell.attack == main.attack:
                        value = _accuracy(cell) - min(map(_accuracy, noise))
                        rows += check_rows("worse_than_noise", value, cell, [cell, *noise])
    if not rows:
        raise ValueError(f"no white-box attack with eps {main_eps:g}, so there is nothing to check")
    return rows


def _network_checks(
    main: Cell, cells: list[Cell], others: list[Cell], transferred: list[Cell], clean: Cell, large_eps: float
) -> Iterator[tuple[str, float, list[Cell]]]:
    """Yield each check for which there are files: its name, its value, and the files."""
    left = _accuracy(main)
    for zero in (cell for cell in cells if eps_of(cell) == 0):
        yield "change_at_eps_0", abs(_accuracy(zero) - _accuracy(clean)), [zero, clean]
    for check, name in (("rise_with_eps", "eps"), ("rise_with_steps", "steps"), ("rise_with_restarts", "restarts")):
        rungs = ladder(cells, main, name)
        if len(rungs) > 1:
            yield check, max(_accuracy(after) - _accuracy(before) for before, after in pairwise(rungs)), rungs
    for doubled in ladder(cells, main, "steps"):
        if doubled.settings.get("steps") == 2 * main.settings.get("steps", 0):
            yield "change_with_doubled_steps", abs(_accuracy(doubled) - left), [main, doubled]
    if large := [cell for cell in cells if eps_of(cell) >= large_eps]:
        yield "left_at_large_eps", min(map(_accuracy, large)), large
    compared = {
        "worse_than_single_step": [c for c in others if use_of(c) == SINGLE_STEP and "steps" in main.settings],
        "worse_than_transfer": [c for c in transferred if c.attack == main.attack],
        "worse_than_noise": [c for c in others if use_of(c) in NOISE],
        "worse_than_black_box": [c for c in others if use_of(c) in BLACK_BOX and use_of(main) not in BLACK_BOX],
    }
    for check, rivals in compared.items():
        if rivals:
            yield check, left - min(map(_accuracy, rivals)), [main, *rivals]


class _Attack(NamedTuple):
    """An attack on a network and its detector.

    Attributes:
        cell: the scores under it, or the first of them if they are of several sets.
        left: what it leaves.
        files: from which that was computed.
    """

    cell: Cell
    left: float
    files: list[Cell]

    @property
    def knows(self) -> bool:
        """Whether it knew the detector."""
        return threat(self.cell).knowledge == ADAPTIVE


def _of_detectors(
    outputs: list[Cell], scores: list[Cell], detectors: list[Cell], checked: list[str], large_eps: float, rate: float
) -> list[MetricRow]:
    """Return the checks of attacks on networks with their detectors, each of which has to be wrong and not flagged."""
    thresholds = {
        (network(cell), cell.detector): cell.noun.thresholds[f"{rate:g}"]
        for cell in detectors
        if f"{rate:g}" in cell.noun.thresholds
    }
    rows: list[MetricRow] = []
    for (net, detector, _), cells in grouped(_attacked(scores), lambda c: (network(c), c.detector, c.examples)).items():
        if (net, detector) not in thresholds:
            raise ValueError(f"{detector} of {net} has no threshold for the false-positive rate {rate:g}")
        attacks = []
        for cell in cells:
            out = attacked_outputs(outputs, cell)
            attacks.append(_Attack(cell, _right_or_flagged(out, cell, thresholds[net, detector]), [cell, out]))
        for check, value, main, used in _detector_checks(attacks, checked, large_eps):
            rows += check_rows(check, value, main, used, entry=f"{main.entry}+{main.detector}")
    if not rows:
        raise ValueError(f"no set was attacked by {', '.join(checked)} with knowledge of a detector")
    return rows


def _of_scores(scores: list[Cell], id_examples: str, checked: list[str], large_eps: float) -> list[MetricRow]:
    """Return the checks of attacks on detectors' scores."""
    rows: list[MetricRow] = []
    for cells in grouped(_attacked(scores), lambda cell: (network(cell), cell.detector)).values():
        attacks = []
        for under in grouped(cells, lambda cell: cell.attack).values():
            anomalous = _on_ood(under, id_examples)
            normal = only((cell for cell in under if cell.examples == id_examples), f"attacked scores of {id_examples}")
            left = np.mean([point("auroc", normal.noun.scores, cell.noun.scores) for cell in anomalous])
            attacks.append(_Attack(anomalous[0], float(left), under))
        for check, value, main, used in _detector_checks(attacks, checked, large_eps):
            entry, examples = f"{main.entry}+{main.detector}", f"{MEAN}/{main.attack}"
            rows += check_rows(check, value, main, used, entry=entry, examples=examples)
    if not rows:
        raise ValueError(f"no score was attacked by {', '.join(checked)} and by another attack")
    return rows


def _detector_checks(
    attacks: list[_Attack], checked: list[str], large_eps: float
) -> Iterator[tuple[str, float, Cell, list[Cell]]]:
    """Yield each check for which there are files: its name, its value, the attack that is checked, and the files."""
    aware = {attack.cell.file: attack for attack in attacks if attack.knows}
    cells = [attack.cell for attack in aware.values()]
    for main in (attack for attack in aware.values() if attack.cell.attack in checked):
        cell = main.cell
        rungs = [aware[one.file] for one in ladder([c for c in cells if c.attack in checked], cell, "eps")]
        if len(rungs) > 1 and rungs[0] is main:  # once for each ladder
            rise = max(more.left - less.left for less, more in pairwise(rungs))
            yield "rise_with_eps", rise, cell, _files(rungs)
        for doubled in (aware[one.file] for one in ladder(cells, cell, "steps")):
            if doubled.cell.settings["steps"] == 2 * cell.settings["steps"]:
                yield "change_with_doubled_steps", abs(doubled.left - main.left), cell, _files([main, doubled])
        if eps_of(cell) >= large_eps:
            yield "left_at_large_eps", main.left, cell, main.files
        rivals = [other for other in attacks if other.cell.attack not in checked and equal_budget(other.cell, cell)]
        no_gradient = [other for other in rivals if other.knows and use_of(other.cell) in BLACK_BOX]
        same = (*BLACK_BOX, use_of(cell))
        for check, others in (
            ("worse_than_oblivious", [other for other in rivals if not other.knows]),
            ("worse_than_black_box", no_gradient),
            ("worse_than_another_attack", [o for o in rivals if o.knows and use_of(o.cell) not in same]),
        ):
            if others:
                yield check, main.left - min(other.left for other in others), cell, _files([main, *others])


def _files(attacks: Iterable[_Attack]) -> list[Cell]:
    return [file for attack in attacks for file in attack.files]


def _attacked(scores: list[Cell]) -> list[Cell]:
    return [cell for cell in scores if cell.attack and not cell.translator]


def _on_ood(cells: list[Cell], id_examples: str) -> list[Cell]:
    """Return the scores of one attack on OOD sets."""
    if others := [cell for cell in cells if cell.examples != id_examples]:
        return others
    about = f"{network(cells[0])} and {cells[0].detector} under {cells[0].attack}"
    raise ValueError(f"no attacked scores of {about} on an OOD set: name one in attacked")


def _main(cells: list[Cell], eps: float) -> Cell | None:
    """Return the plainest attack at `eps`: fewest restarts, then one with a doubled-steps version, then most steps."""
    at = [cell for cell in cells if abs(eps_of(cell) - eps) < 1e-9]
    steps = {cell.settings.get("steps", 0) for cell in at}
    return min(
        at,
        key=lambda cell: (
            cell.settings.get("restarts", 1),
            2 * cell.settings.get("steps", 0) not in steps,
            -cell.settings.get("steps", 0),
            cell.attack,
        ),
        default=None,
    )


def _same_inputs(cell: Cell, clean: Cell) -> bool:
    return network(cell) == network(clean) and cell.examples == clean.examples


def _accuracy(cell: Cell) -> float:
    return accuracy(cell.noun.predictions, cell.noun.labels)


def _right_or_flagged(out: Cell, cell: Cell, threshold: float) -> float:
    """Return the share of images that are right, or flagged at the threshold."""
    same = rows_of(out.noun.example_ids, cell.noun.example_ids, out.file)
    right = correct(out.noun.predictions, out.noun.labels)[same]
    return float((right | (cell.noun.scores > threshold)).mean())


def _rising(cell: Cell, clean: Cell) -> float:
    """Return the share of inputs whose cross-entropy is higher than unattacked; of float images if there are any.

    An input that is misclassified counts, too, with or without the attack: an attack may stop there.
    """
    labels, same = cell.noun.labels, rows_of(clean.noun.example_ids, cell.noun.example_ids, clean.file)
    exact = cell.noun.unquantised_logits
    before, after = clean.noun.logits[same], cell.noun.logits if exact is None else exact
    wrong = ~correct(before.argmax(axis=1), labels) | ~correct(after.argmax(axis=1), labels)
    return float((wrong | (_log_odds(after, labels) > _log_odds(before, labels))).mean())


def _log_odds(logits: Array, labels: Array) -> Array:
    """Return the log odds that the label is wrong, (N,), which rise exactly if the cross-entropy does.

    The cross-entropy itself rounds to 0 if the label leads by much.
    """
    logits = logits.astype(np.float64)
    own = np.arange(logits.shape[1]) == labels[:, None]
    return np.asarray(logsumexp(np.where(own, -np.inf, logits), axis=1) - logits[own])

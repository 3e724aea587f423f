"""Whether attacks behave as attacks must: the checks of Carlini et al. 2019 on a study's own files."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from scipy.special import logsumexp

from touchstone.contracts import PositiveFloat
from touchstone.evaluations._attack_checks import BLACK_BOX, check_rows, eps_of, equal_budget, ladder, norm_of
from touchstone.records.metric_tables import MetricRow
from touchstone.records.nouns import Cell
from touchstone.statistics.estimators import Array, accuracy
from touchstone.statistics.rows import clean_outputs, grouped, rows_of, with_means
from touchstone.statistics.threats import network, use_of, white_box

METRICS = (
    "change_at_eps_0", "rise_with_eps", "rise_with_steps", "rise_with_restarts", "change_with_doubled_steps",
    "left_at_large_eps", "worse_than_single_step", "worse_than_transfer", "worse_than_noise", "worse_than_black_box",
    "loss_rises", "*_passed",
)  # fmt: skip
NOISE = ("random_sign", "uniform_noise")
SINGLE_STEP = "fgsm"
Measurement = tuple[str, float, list[Cell]]  # check, value, what it was computed from


def sanity(
    outputs: list[Cell],
    *,
    main_eps: PositiveFloat = 0.1,
    large_eps: PositiveFloat = 0.5,
    random: list[str] = [],  # noqa: B006 - a literal that the registry reads; never written to
) -> list[MetricRow]:
    """Check white-box attacks against each other, against noise, black-box and transferred attacks.

    Args:
        outputs: of classifiers on a clean set and on attacked versions of it: one attack at several eps, steps and
            restarts, noise, black-box and transferred attacks. A check is made if its files are there.
        main_eps: at which attacks are compared.
        large_eps: from which an attack should leave nothing.
        random: classifiers that draw random numbers. Attacks raise their mean loss, and that of one draw may fall by
            chance, so loss_rises is not checked.

    Returns:
        Two rows per check, classifier seed and attack: the value, and CHECK_passed (1 or 0); then means over seeds. The
        checks and their bounds: statistics/sanity_checks.py. Values are about exactly these inputs, so they have no
        interval.

    Raises:
        ValueError: there is nothing to check.

    References:
        Carlini et al. 2019; docs/papers/shared.md, "Checks of an attack".
    """
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
                for check, value, files in _checks(main, cells, others, transferred, clean, large_eps):
                    rows += check_rows(check, value, main, files)
                if main.entry not in random:
                    rows += check_rows("loss_rises", _rising(main, clean), main, [main, clean])
                noise = [cell for cell in others if use_of(cell) in NOISE]
                for cell in transferred if noise else []:
                    if cell.attack == main.attack:
                        rows += check_rows(
                            "worse_than_noise", _left(cell) - min(map(_left, noise)), cell, [cell, *noise]
                        )
    if not rows:
        raise ValueError(f"no white-box attack with eps {main_eps:g}, so there is nothing to check")
    return with_means(rows)


def _checks(
    main: Cell, cells: list[Cell], others: list[Cell], transferred: list[Cell], clean: Cell, large_eps: float
) -> Iterator[Measurement]:
    """Yield each check for which there are files: its name, its value, and the files."""
    left = _left(main)
    for zero in (cell for cell in cells if eps_of(cell) == 0):
        yield "change_at_eps_0", abs(_left(zero) - _left(clean)), [zero, clean]
    for check, name in (("rise_with_eps", "eps"), ("rise_with_steps", "steps"), ("rise_with_restarts", "restarts")):
        rungs = ladder(cells, main, name)
        if len(rungs) > 1:
            rises = [_left(after) - _left(before) for before, after in pairwise(rungs)]
            yield check, max(rises), rungs
    for doubled in ladder(cells, main, "steps"):
        if doubled.settings.get("steps") == 2 * main.settings.get("steps", 0):
            yield "change_with_doubled_steps", abs(_left(doubled) - left), [main, doubled]
    for large in (cell for cell in cells if eps_of(cell) >= large_eps):
        yield "left_at_large_eps", _left(large), [large]
    compared = {
        "worse_than_single_step": [c for c in others if use_of(c) == SINGLE_STEP and "steps" in main.settings],
        "worse_than_transfer": [c for c in transferred if c.attack == main.attack],
        "worse_than_noise": [c for c in others if use_of(c) in NOISE],
        "worse_than_black_box": [c for c in others if use_of(c) in BLACK_BOX and use_of(main) not in BLACK_BOX],
    }
    for check, rivals in compared.items():
        if rivals:
            yield check, left - min(map(_left, rivals)), [main, *rivals]


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


def _left(cell: Cell) -> float:
    return accuracy(cell.noun.predictions, cell.noun.labels)


def _rising(cell: Cell, clean: Cell) -> float:
    """Return the share of inputs whose cross-entropy is not lower than unattacked; of float images if there are any.

    An input that is misclassified without an attack counts, too: an attack that stops at success leaves it as it is.
    """
    same = rows_of(clean.noun.example_ids, cell.noun.example_ids, clean.file)
    exact = cell.noun.unquantised_logits
    before, after = clean.noun.logits[same], cell.noun.logits if exact is None else exact
    rises = _loss(after, cell.noun.labels) >= _loss(before, cell.noun.labels) - 1e-6
    return float((rises | (before.argmax(axis=1) != cell.noun.labels)).mean())


def _loss(logits: Array, labels: Array) -> Array:
    logits = logits.astype(np.float64)
    return np.asarray(logsumexp(logits, axis=1) - logits[np.arange(len(labels)), labels])

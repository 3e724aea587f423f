"""What a training against attacks ends with, and what it had at its best epochs."""

from __future__ import annotations

import numpy as np

from touchstone.evaluations.statistics import intervals
from touchstone.evaluations.statistics.estimators import Array
from touchstone.evaluations.statistics.intervals import Interval
from touchstone.evaluations.statistics.rows import row, with_means
from touchstone.records.metric_tables import MetricRow
from touchstone.records.nouns import Cell

METRICS = (
    "watched_accuracy_last", "training_attack_accuracy_last", "pgd_accuracy_last",
    "pgd_accuracy_best_by_training_attack", "pgd_accuracy_best_by_pgd",
    "epoch_best_by_training_attack", "epoch_best_by_pgd",
)  # fmt: skip
CLEAN, OWN, PGD = "watched_accuracy", "training_attack_accuracy", "pgd_accuracy"


def training_length(checkpoints: list[Cell]) -> list[MetricRow]:
    """Compare the last epoch of a training with the best one by its own attack, and with the best one under PGD.

    The numbers are those that the training recorded after each epoch, on the same held-out images. An epoch that is best on
    images looks better there than elsewhere.

    Args:
        checkpoints: of classifiers; those whose training attacks no image are skipped.

    Returns:
        Rows per network, then means over seeds. Accuracies have exact binomial intervals.

        - watched_accuracy_last, training_attack_accuracy_last, pgd_accuracy_last: after the last epoch, on clean images,
          under the attack of the training, and under PGD of 20 steps within the same eps.
        - pgd_accuracy_best_by_training_attack: under PGD, after the epoch with the highest accuracy under the attack of the
          training. Far below pgd_accuracy_best_by_pgd, it says that the training learned to resist its own attack only.
        - pgd_accuracy_best_by_pgd: under PGD, after the epoch where that is highest.
        - epoch_best_by_training_attack, epoch_best_by_pgd: the first such epoch, counted from 1.

    Raises:
        ValueError: no training here attacks its images.
    """
    rows = [one for cell in checkpoints if PGD in cell.noun.history for one in _rows(cell)]
    if not rows:
        raise ValueError("no network here was trained against attacks, so there is no epoch to compare")
    return with_means(rows)


def _rows(cell: Cell) -> list[MetricRow]:
    history, count = cell.noun.history, int(cell.noun.notes["watched_images"])
    own, pgd = (int(np.argmax(history[name])) for name in (OWN, PGD))

    def accuracy(metric: str, curve: Array, epoch: int) -> MetricRow:
        share = intervals.binomial(round(float(curve[epoch]) * count), count)
        return row(metric, share, cell=cell, n=count, files=[cell])

    def number(metric: str, epoch: int) -> MetricRow:
        return row(metric, Interval(epoch + 1.0, None, None), cell=cell, n=count, files=[cell], unit="epochs")

    return [
        *(accuracy(f"{name}_last", history[name], -1) for name in (CLEAN, OWN, PGD)),
        accuracy("pgd_accuracy_best_by_training_attack", history[PGD], own),
        accuracy("pgd_accuracy_best_by_pgd", history[PGD], pgd),
        number("epoch_best_by_training_attack", own),
        number("epoch_best_by_pgd", pgd),
    ]

"""Accuracy after the last epoch and after the best ones, from curves whose epochs are known."""

import numpy as np
import pytest
from scipy.stats import binomtest

from touchstone.evaluations.training_length import training_length
from touchstone.records.nouns import Cell, Checkpoint


def trained(own, pgd, seed=0, entry="net", clean=None):
    """A network with these curves, on 200 images."""
    curves = {"watched_accuracy": clean or [1.0] * len(own), "training_attack_accuracy": own, "pgd_accuracy": pgd}
    history = {name: np.array(curve) for name, curve in curves.items()}
    weights = {"w": np.zeros(1, dtype=np.float32)}
    checkpoint = Checkpoint(weights, {"use": "mlp"}, (1, 2, 2), 2, (0.0,), (1.0,), history, {"watched_images": 200})
    return Cell(checkpoint, f"{entry}.{seed}", entry=entry, seed=seed)


def numbers(*cells):
    return {(row.entry, row.seed, row.metric): row for row in training_length(list(cells))}


def test_a_training_that_resists_its_own_attack_only_is_told_by_its_best_epochs():
    """The one-step training of a CNN: its own attack fools it less and less, and PGD more and more."""
    rows = numbers(trained(own=[0.70, 0.80, 0.92], pgd=[0.66, 0.30, 0.10], clean=[0.8, 0.85, 0.9]))
    values = {metric: row.value for (_, _, metric), row in rows.items()}

    assert values == {
        "watched_accuracy_last": 0.9,
        "training_attack_accuracy_last": 0.92,
        "pgd_accuracy_last": 0.1,
        "pgd_accuracy_best_by_training_attack": 0.1,
        "pgd_accuracy_best_by_pgd": 0.66,
        "epoch_best_by_training_attack": 3,
        "epoch_best_by_pgd": 1,
    }


def test_the_first_of_equally_good_epochs_counts():
    rows = numbers(trained(own=[0.5, 0.5], pgd=[0.4, 0.4]))

    assert rows["net", 0, "epoch_best_by_training_attack"].value == 1
    assert rows["net", 0, "epoch_best_by_pgd"].value == 1


def test_intervals_are_exact_over_the_watched_images():
    row = numbers(trained(own=[0.5], pgd=[0.25]))["net", 0, "pgd_accuracy_last"]
    expected = binomtest(50, 200).proportion_ci(method="exact")

    assert (row.n, row.unit) == (200, "fraction")
    assert (row.low, row.high) == pytest.approx((expected.low, expected.high))


def test_seeds_have_a_mean():
    rows = numbers(trained([0.5], [0.2], seed=0), trained([0.7], [0.6], seed=1))

    assert rows["net", None, "pgd_accuracy_last_mean"].value == pytest.approx(0.4)


def test_networks_without_curves_are_skipped_and_alone_refused():
    plain = Cell(
        Checkpoint({"w": np.zeros(1, dtype=np.float32)}, {"use": "mlp"}, (1, 2, 2), 2, (0.0,), (1.0,)),
        "plain.0",
        entry="plain",
        seed=0,
    )

    assert {entry for entry, _, _ in numbers(trained([0.5], [0.2]), plain)} == {"net"}
    with pytest.raises(ValueError, match="no network here was trained against attacks"):
        training_length([plain])

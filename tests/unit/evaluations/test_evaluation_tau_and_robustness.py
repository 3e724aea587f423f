import numpy as np
import pytest
from scipy import stats

from touchstone.evaluations.tau_and_robustness import _spearman, tau_and_robustness
from touchstone.records.nouns import Cell, Margins, Outputs

COUNT = 40


def network(entry, sorted_rows, robust, seed=0):
    """A network whose first `sorted_rows` logit margins are in the order of the input margins, the others reversed."""
    margins = np.linspace(0.01, 0.05, COUNT)
    margins[COUNT - robust :] += 0.2
    leads = np.linspace(1, 2, COUNT)
    leads[sorted_rows:] = leads[sorted_rows:][::-1]
    logits = np.stack([leads, np.zeros(COUNT)], axis=1).astype(np.float32)
    labels, ids = np.zeros(COUNT, np.int64), np.arange(COUNT)
    found = Margins(margins, np.ones(COUNT, bool), labels, labels, ids, "linf", "nearest_classes")
    place = {"entry": entry, "seed": seed, "examples": "digits"}
    return Cell(found, f"m/{entry}.{seed}", margin="nearest_classes", **place), Cell(
        Outputs(logits, labels, ids), f"o/{entry}.{seed}", **place
    )


def ask(*networks, **settings):
    margins, outputs = zip(*networks, strict=True)
    return tau_and_robustness(list(margins), list(outputs), resamples=200, **settings)


def test_a_higher_tau_in_every_more_robust_network_is_a_correlation_of_one():
    (row,) = ask(*(network(f"net{k}", 4 * k, k) for k in range(1, 9)))

    assert row.value == pytest.approx(1)
    assert (row.entry, row.examples, row.seed, row.seeds, row.n) == ("networks", "digits/linf", None, (), 8)


def test_the_correlation_and_its_resamples_are_those_of_scipy():
    points = np.random.default_rng(0).normal(size=(5, 12, 2)).round(1)

    assert _spearman(points) == pytest.approx([stats.spearmanr(*one.T).statistic for one in points])
    assert _spearman(np.ones((1, 4, 2))) == 0


def test_the_interval_of_networks_without_an_order_holds_zero():
    robust = [5, 1, 7, 3, 8, 2, 6, 4]
    (row,) = ask(*(network(f"net{k}", 4 * k, robust[k - 1]) for k in range(1, 9)))

    assert row.low < 0 < row.high


def test_no_end_of_an_interval_is_beyond_a_correlation():
    robust = [1, 2, 3, 5, 4, 6]
    (row,) = ask(*(network(f"net{k}", 4 * k, robust[k - 1]) for k in range(1, 7)))

    assert -1 <= row.low < row.value < row.high == 1


def test_the_first_seed_of_a_network_counts_and_a_network_without_a_tau_is_left_out():
    nets = [network(f"net{k}", 4 * k, k) for k in range(1, 6)]
    margins, outputs = network("flat", 10, 3)
    flat = Outputs(np.ones((COUNT, 2), np.float32), outputs.noun.labels, outputs.noun.example_ids)

    (row,) = ask(network("net1", 4, 9, seed=1), *nets, (margins, Cell(flat, "o", "flat", 0, "digits")))
    assert (row.n, row.value) == (5, pytest.approx(1))
    with pytest.raises(ValueError, match="digits: 3 networks have a tau, and a correlation needs 4"):
        ask(*nets[:3])

import numpy as np
import pytest

from touchstone.evaluations.subset_robustness import _nearest_of_grid, subset_robustness
from touchstone.records.nouns import Cell, Margins, Outputs


def cells(values, leads, right):
    values, leads = np.array(values, dtype=np.float64), np.array(leads, dtype=np.float32)
    rows = len(values)
    labels = np.where(right, 0, 1).astype(np.int64)
    logits = np.stack([leads, np.zeros(rows, dtype=np.float32)], axis=1)
    found = Margins(
        values, np.isfinite(values), labels, np.zeros(rows, np.int64), np.arange(rows), "linf", "nearest_classes"
    )
    place = {"entry": "cnn", "seed": 0, "examples": "digits"}
    return [Cell(found, "m", margin="nearest_classes", **place)], [
        Cell(Outputs(logits, labels, np.arange(rows)), "o", **place)
    ]


def ask(given, **settings):
    return {row.metric: row.value for row in subset_robustness(*given, eps=0.1, resamples=20, **settings)}


def test_where_the_orders_agree_a_subset_estimates_the_robust_accuracy_with_a_small_error():
    leads = np.linspace(1, 2, 300)
    right = np.arange(300) % 7 > 0

    found = ask(cells(leads / 10 - 0.05, leads, right), size=200)

    assert found["absolute_error"] < 0.02
    assert found["robust_accuracy"] == (right & (leads / 10 - 0.05 > 0.1)).mean()


def test_of_a_logit_margin_that_says_nothing_the_subset_alone_is_no_worse():
    generator = np.random.default_rng(0)

    found = ask(cells(generator.random(400) / 5, generator.random(400) + 1, np.ones(400, bool)), size=100)

    assert found["absolute_error_sample"] < found["absolute_error"]
    assert found["signed_error"] != 0


def test_a_set_no_larger_than_the_subset_is_refused():
    with pytest.raises(ValueError, match="a subset of 500 inputs of digits, which has 100"):
        ask(cells(np.linspace(0.01, 0.2, 100), np.linspace(1, 2, 100), np.ones(100, bool)))


def test_the_grid_takes_the_share_whose_estimate_for_the_subset_is_nearest_to_its_robust_accuracy():
    """Of ten inputs seven are brittle. Two brittle ones lead by more than the robust ones: at .80 one passes too many."""
    leads = np.r_[[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.9], [0.7, 0.8, 1.0]]
    brittle = np.r_[np.full(7, True), np.full(3, False)]

    threshold = _nearest_of_grid(leads, np.full(10, True), brittle)

    # .80 and .85 of seven are six inputs: .6, which leaves .7, .8, .9 and 1.0; all others are seven: .9, which leaves 1.0.
    assert threshold == pytest.approx(0.6)  # .4 is nearer to the robust accuracy of .3 than .1

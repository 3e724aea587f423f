import numpy as np
import pytest

from touchstone.evaluations.margins import margins
from touchstone.records.nouns import Cell, Checkpoint, Margins, Outputs

QUICK = {"resamples": 30}


def cells(values, leads, right=None, predictions=None, entry="cnn", method="exact", seed=0):
    """A binary classifier whose logit margins are `leads`, and the input margins `values`; inf is not found."""
    values, leads = np.array(values, dtype=np.float64), np.array(leads, dtype=np.float32)
    rows = len(values)
    labels = np.zeros(rows, dtype=np.int64) if right is None else np.where(right, 0, 1)
    logits = np.stack([leads, np.zeros(rows, dtype=np.float32)], axis=1)
    found = Margins(
        values, np.isfinite(values), labels, np.zeros(rows, np.int64) if predictions is None else predictions,
        np.arange(rows), "linf", method,
    )  # fmt: skip
    place = {"entry": entry, "seed": seed, "examples": "digits"}
    outputs = Outputs(logits, labels, np.arange(rows), {"penultimate": leads[:, None]})
    checkpoint = Checkpoint({"0.weight": np.array([[1.0], [0.0]])}, {}, (1, 1, 1), 2, (0.0,), (1.0,))
    return (
        [Cell(found, f"{entry}.{seed} {method}", margin=method, **place)],
        [Cell(outputs, f"{entry}.{seed} out", **place)],
        [Cell(checkpoint, f"{entry}.{seed} net", entry=entry, seed=seed)],
    )


def joined(*several):
    """The cells of several classifiers or methods; outputs of the same network once."""
    margins, outputs, checkpoints = ([cell for part in parts for cell in part] for parts in zip(*several, strict=True))
    return margins, list({cell.file: cell for cell in outputs}.values()), checkpoints


def values(rows, examples="digits/linf"):
    return {row.metric: row.value for row in rows if row.examples == examples}


def test_a_linear_classifier_ranks_and_finds_brittle_inputs_perfectly():
    leads = np.linspace(0.1, 2, 40)  # the input margin is the logit margin over ||w||_1

    found = values(margins(*cells(leads / 4, leads), eps=[0.1, 0.3], **QUICK))

    assert found["kendall_tau"] == 1
    for eps in ("0.1", "0.3"):
        assert (found[f"brittle_auroc_at_{eps}"], found[f"brittle_aupr_at_{eps}"]) == (1, 1)
        assert found[f"brittle_fpr95_at_{eps}"] == 0


def test_four_inputs_worked_by_hand():
    given = cells([0.1, 0.2, 0.3, np.inf], [1.0, 3.0, 2.0, 4.0], right=np.array([True, True, False, True]))

    rows = margins(*given, eps=[0.2], **QUICK)

    found = values(rows)
    assert (found["median_margin"], found["share_not_found"]) == (0.2, 0.25)
    assert found["kendall_tau"] == pytest.approx(4 / 6)  # one of six pairs is in the wrong order
    assert found["robust_accuracy_at_0.2"] == 0.25  # right and above 0.2: the last
    assert found["brittle_auroc_at_0.2"] == 3 / 4
    assert rows[0].examples == "digits/linf"
    assert str(rows[0].threat) == "white-box, least change of exact, linf"
    assert rows[-1].examples == "digits/exact"
    assert str(rows[-1].threat) == "white-box, least change found, linf (exact)"


def test_the_base_rate_is_the_share_of_brittle_inputs():
    rows = margins(*cells(np.linspace(0.01, 0.2, 20), np.linspace(1, 2, 20)), eps=[0.05], **QUICK)

    row = next(row for row in rows if row.metric == "brittle_aupr_at_0.05")
    assert (row.base_rate, row.n) == (0.25, 20)


def test_a_radius_at_which_hardly_any_input_is_brittle_or_hardly_any_is_not_has_no_detection_statistic():
    rows = margins(*cells(np.linspace(0.01, 0.4, 40), np.linspace(1, 2, 40)), eps=[0.01, 0.02, 0.395], **QUICK)

    names = values(rows)
    assert "brittle_auroc_at_0.02" in names and not {"brittle_auroc_at_0.01", "brittle_auroc_at_0.395"} & names.keys()
    assert "robust_accuracy_at_0.01" in names


def test_where_most_margins_are_not_found_the_median_is_not_given():
    found = values(margins(*cells([0.1, np.inf, np.inf], [1.0, 2.0, 3.0]), eps=[0.2], **QUICK))

    assert "median_margin" not in found
    assert found["share_not_found"] == pytest.approx(2 / 3)


def test_an_upper_end_that_was_not_found_is_left_open():
    rows = margins(*cells([0.1, 0.2, np.inf], [1.0, 2.0, 3.0]), eps=[], **QUICK)

    assert (rows[0].metric, rows[0].value, rows[0].high) == ("median_margin", 0.2, None)


def test_margins_of_another_network_are_refused():
    given = cells([0.1, 0.2], [1.0, 2.0], predictions=np.array([1, 0]))

    with pytest.raises(ValueError, match="predict differently"):
        margins(*given, eps=[0.1], **QUICK)


def test_of_two_methods_the_smaller_margin_counts_and_what_each_missed_is_told():
    first, second = [0.1, 0.4, 0.3, np.inf], [0.2, 0.2, 0.3, 0.5]
    given = joined(cells(first, [1, 2, 3, 4], method="one"), cells(second, [1, 2, 3, 4], method="two"))

    rows = margins(*given, eps=[0.25], **QUICK)

    both, one, two = (values(rows, f"digits/{name}") for name in ("linf", "one", "two"))
    assert both["kendall_tau"] == 1  # .1, .2, .3, .5
    assert both["robust_accuracy_at_0.25"] == 0.5 and both["share_not_found"] == 0
    assert (one["share_not_found"], two["share_not_found"]) == (0.25, 0)
    assert one["mean_excess"] == pytest.approx(1 / 3) and two["mean_excess"] == pytest.approx(1 / 4)
    assert (one["brittle_missed_at_0.25"], two["brittle_missed_at_0.25"]) == (0.25, 0)
    assert str(rows[0].threat) == "white-box, least change of one and two, linf"


def test_lower_bounds_bracket_the_margin_and_change_nothing_else():
    given = cells([0.1, 0.2, 0.4], [1, 2, 3])
    bounds = cells([0.05, 0.2, 0.3], [1, 2, 3], method="certified_linear")

    rows = margins(*joined(given, bounds), eps=[0.15, 0.35], **QUICK)

    alone = margins(*given, eps=[0.15, 0.35], **QUICK)
    found = values(rows, "digits/certified_linear")
    assert found["median_lower_bound"] == 0.2
    assert found["median_bracket"] == pytest.approx(0.05)  # .05, 0, .1
    assert found["certified_accuracy_at_0.15"] == pytest.approx(2 / 3) and found["accuracy_bracket_at_0.15"] == 0
    assert found["certified_accuracy_at_0.35"] == 0 and found["accuracy_bracket_at_0.35"] == pytest.approx(
        1 / 3
    )  # the third
    assert [row for row in rows if row.examples != "digits/certified_linear"] == alone


def test_a_lower_bound_above_a_margin_that_was_found_is_refused():
    given = joined(cells([0.1, 0.2], [1, 2]), cells([0.1, 0.25], [1, 2], method="certified_linear"))

    with pytest.raises(ValueError, match="1 lower bounds lie above"):
        margins(*given, eps=[0.1], **QUICK)


def test_the_feature_margin_of_a_binary_classifier_ranks_like_the_logit_margin():
    found = values(margins(*cells([0.1, 0.3, 0.2, 0.4], [1, 2, 3, 4]), eps=[], **QUICK))

    assert found["kendall_tau_features"] == found["kendall_tau"] == pytest.approx(4 / 6)
    assert found["kendall_tau_features_gain"] == 0


def test_tau_of_a_class_is_that_of_its_own_inputs():
    leads = np.r_[np.linspace(0.1, 2, 30), -np.linspace(0.1, 2, 30)]  # 30 inputs of class 0, 30 of class 1
    near = np.r_[np.linspace(0.1, 2, 30), np.linspace(2, 0.1, 30)]
    given = cells(near, leads, predictions=(leads < 0).astype(np.int64))

    found = values(margins(*given, eps=[], **QUICK))

    assert found["kendall_tau_class_0"] == 1 and found["kendall_tau_class_1"] == -1
    assert found["kendall_tau"] == pytest.approx(0, abs=0.05)


def test_the_difference_to_the_baseline_is_paired_by_input():
    rising, leads = np.linspace(0.1, 0.4, 30), np.linspace(1, 2, 30)
    mixed = np.random.default_rng(0).permutation(rising)
    given = joined(cells(rising, leads, entry="robust"), cells(mixed, leads, entry="plain"))

    rows = margins(*given, eps=[], baseline="plain", **QUICK)

    taus = {row.entry: row.value for row in rows if row.metric == "kendall_tau"}
    (difference,) = (row for row in rows if row.metric == "kendall_tau_difference")
    assert (difference.entry, difference.examples) == ("robust", "digits/linf/minus_plain")
    assert difference.value == pytest.approx(taus["robust"] - taus["plain"])
    assert difference.low < difference.value < difference.high


@pytest.mark.parametrize(("baseline_seeds", "compared"), [((0, 1), {0}), ((0,), {0, 2})])
def test_a_network_is_compared_with_the_baseline_of_its_seed_or_with_the_only_one(baseline_seeds, compared):
    rising, leads = np.linspace(0.1, 0.4, 30), np.linspace(1, 2, 30)
    mixed = np.random.default_rng(0).permutation(rising)
    robust = [cells(rising, leads, entry="robust", seed=seed) for seed in (0, 2)]
    plain = [cells(mixed, leads, entry="plain", seed=seed) for seed in baseline_seeds]

    rows = margins(*joined(*robust, *plain), eps=[], baseline="plain", **QUICK)

    assert {row.seed for row in rows if row.metric == "kendall_tau_difference"} == compared

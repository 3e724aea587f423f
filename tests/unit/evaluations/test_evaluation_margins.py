import numpy as np
import pytest

from touchstone.evaluations.margins import margins
from touchstone.records import Cell, Margins, Outputs

QUICK = {"resamples": 30}


def cells(values, leads, right=None, predictions=None):
    """A binary classifier whose logit margins are `leads`, and the input margins `values`; inf is not found."""
    values, leads = np.array(values, dtype=np.float64), np.array(leads, dtype=np.float32)
    rows = len(values)
    labels = np.zeros(rows, dtype=np.int64) if right is None else np.where(right, 0, 1)
    logits = np.stack([leads, np.zeros(rows, dtype=np.float32)], axis=1)
    found = Margins(
        values, np.isfinite(values), labels, np.zeros(rows, np.int64) if predictions is None else predictions,
        np.arange(rows), "linf", "bisection",
    )  # fmt: skip
    place = {"entry": "cnn", "seed": 0, "examples": "digits"}
    return [Cell(found, "margins", margin="exact", **place)], [
        Cell(Outputs(logits, labels, np.arange(rows)), "out", **place)
    ]


def values(rows):
    return {row["metric"]: row["value"] for row in rows}


def test_a_linear_classifier_ranks_and_finds_brittle_inputs_perfectly():
    leads = np.linspace(0.1, 2, 40)  # papers.md 3.i item 2: the input margin is the logit margin over ||w||_1

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
    assert rows[0]["examples"] == "digits/exact"
    assert rows[0]["threat"] == "white-box, least change found, linf (bisection)"


def test_the_base_rate_is_the_share_of_brittle_inputs():
    rows = margins(*cells(np.linspace(0.01, 0.2, 20), np.linspace(1, 2, 20)), eps=[0.05], **QUICK)

    row = next(row for row in rows if row["metric"] == "brittle_aupr_at_0.05")
    assert (row["base_rate"], row["n"]) == (0.25, 20)


def test_a_radius_at_which_hardly_any_input_is_brittle_has_no_detection_statistic():
    rows = margins(*cells(np.linspace(0.01, 0.4, 40), np.linspace(1, 2, 40)), eps=[0.01, 0.02], **QUICK)

    names = values(rows)
    assert "brittle_auroc_at_0.02" in names and "brittle_auroc_at_0.01" not in names
    assert "robust_accuracy_at_0.01" in names


def test_where_most_margins_are_not_found_the_median_is_not_given():
    found = values(margins(*cells([0.1, np.inf, np.inf], [1.0, 2.0, 3.0]), eps=[0.2], **QUICK))

    assert "median_margin" not in found
    assert found["share_not_found"] == pytest.approx(2 / 3)


def test_an_upper_end_that_was_not_found_is_left_open():
    rows = margins(*cells([0.1, 0.2, np.inf], [1.0, 2.0, 3.0]), eps=[], **QUICK)

    assert (rows[0]["metric"], rows[0]["value"], rows[0]["high"]) == ("median_margin", 0.2, None)


def test_margins_of_another_network_are_refused():
    given = cells([0.1, 0.2], [1.0, 2.0], predictions=np.array([1, 0]))

    with pytest.raises(ValueError, match="predict differently"):
        margins(*given, eps=[0.1], **QUICK)

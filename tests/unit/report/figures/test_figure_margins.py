"""What the figures of margins draw, on the made-up study."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

import synthetic_study
from touchstone.evaluations.margins import margins
from touchstone.report import drawing
from touchstone.report.figures.brittle_roc import _missed, brittle_roc
from touchstone.report.figures.margin_scatter import margin_scatter
from touchstone.report.figures.tau_against_robustness import _label_places, tau_against_robustness

STUDY = vars(synthetic_study)
MARGINS, OUTPUTS = (STUDY["NOUNS"][name] for name in ("margins", "outputs"))


def rows_of(question):
    cells, settings = STUDY["given"](question)
    return question(*cells, **settings)


def test_the_classifiers_asked_for_are_drawn_in_that_order():
    figure = margin_scatter(MARGINS, OUTPUTS, classifiers=["cnn_pgd", "cnn"])

    assert [axes.get_title().split(":")[0] for axes in figure.axes] == ["cnn pgd, seed 0", "cnn, seed 0"]


def test_an_eps_at_which_hardly_any_input_is_brittle_has_no_curve():
    figure = brittle_roc(MARGINS, OUTPUTS, eps=[0.0001, 0.1], classifiers=["cnn"], resamples=10)

    (legend,) = (axes.get_legend() for axes in figure.axes)
    (line,) = (text.get_text() for text in legend.texts)
    assert line.startswith("eps 0.1: AUROC 0.") and line.endswith("brittle)")


def test_the_title_counts_the_brittle_inputs_that_a_tenth_of_false_alarms_misses():
    others, brittle = np.arange(10.0), np.array([0.0, 7.0, 8.5, 9.5])  # one of ten may be flagged: that of 9

    assert _missed(others, brittle) == pytest.approx(2 / 4)
    title = drawing.takeaway(brittle_roc(MARGINS, OUTPUTS, eps=[0.1], classifiers=["cnn"], resamples=10))
    assert title.startswith("With 10% of the others flagged, the logit margin misses ")
    assert " of the brittle inputs (eps 0.1) of cnn" in title


def test_every_classifier_is_one_point_of_tau_against_robust_accuracy():
    figure = tau_against_robustness(rows_of(margins))

    assert {text.get_text() for text in figure.axes[0].texts} == {"cnn", "cnn pgd"}
    assert "cnn pgd" in drawing.description(figure)


def test_names_of_points_that_are_near_each_other_cover_neither_each_other_nor_intervals():
    points = {f"network_{place}": (200.0 + 5 * place, 100.0) for place in range(5)}
    bar = (150.0, 111.0, 250.0, 111.0)

    places = _label_places(points, [bar], (0, 0, 400, 200))

    middles = [(points[name][0] + across, points[name][1] + up) for name, (across, up) in places.items()]
    assert all(abs(x - u) >= 9 * 5 or abs(y - v) >= 9 for (x, y), (u, v) in combinations(middles, 2))
    assert all(abs(y - 111) >= 5 or abs(x - 200) >= 50 for x, y in middles)
    far = {"a": (100.0, 100.0), "b": (300.0, 100.0)}
    assert len(set(_label_places(far, [], (0, 0, 400, 200)).values())) == 1


def test_the_title_has_the_best_ranked_and_the_most_robust_network():
    rows = [
        STUDY["metric_row"](metric, value, value, value, entry=entry, examples="digits/linf")
        for entry, tau, robust in (("plain", 0.9, 0.02), ("robust", 0.59, 0.74))
        for metric, value in (("kendall_tau", tau), ("robust_accuracy_at_0.1", robust))
    ]

    figure = tau_against_robustness(rows)

    assert drawing.takeaway(figure) == (
        "In the most robust network, robust (74% robust), the logit margin ranks with a tau of 0.59; it ranks best in plain"
        " (2%): 0.90"
    )
    assert figure.axes[0].get_ylim()[0] == pytest.approx(0.55)
    assert all(text.arrow_patch for text in figure.axes[0].texts)


def test_rows_of_another_evaluation_are_refused():
    with pytest.raises(ValueError, match="no "):
        tau_against_robustness([replace(rows_of(margins)[0], metric="something_else")])

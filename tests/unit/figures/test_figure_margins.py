"""What the figures of margins draw, on the made-up study."""

import runpy
from dataclasses import replace
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest

from touchstone.evaluations.margins import margins
from touchstone.evaluations.subset_robustness import subset_robustness
from touchstone.figures.brittle_images import brittle_images
from touchstone.figures.brittle_roc import brittle_roc
from touchstone.figures.margin_evasion_histograms import margin_evasion_histograms
from touchstone.figures.margin_proxies import margin_proxies
from touchstone.figures.margin_scatter import margin_scatter
from touchstone.figures.subset_errors import subset_errors
from touchstone.figures.tau_against_robustness import _label_places, tau_against_robustness
from touchstone.report import drawing

STUDY = runpy.run_path(str(Path(__file__).parents[2] / "synthetic_study.py"))
MARGINS, OUTPUTS, EXAMPLES = (STUDY["NOUNS"][name] for name in ("margins", "outputs", "examples"))


def rows_of(question):
    cells, settings = STUDY["given"](question)
    return question(*cells, **settings)


def test_the_classifiers_asked_for_are_drawn_in_that_order():
    figure = margin_scatter(MARGINS, OUTPUTS, classifiers=["cnn_pgd", "cnn"])

    assert [axes.get_title().split(":")[0] for axes in figure.axes] == ["cnn_pgd.0", "cnn.0"]


def test_an_eps_at_which_hardly_any_input_is_brittle_has_no_curve():
    figure = brittle_roc(MARGINS, OUTPUTS, eps=[0.0001, 0.1], classifiers=["cnn"], resamples=10)

    (legend,) = (axes.get_legend() for axes in figure.axes)
    (line,) = (text.get_text() for text in legend.texts)
    assert line.startswith("0.1: 0.") and line.endswith("brittle)")


def test_the_nearest_image_stands_first_with_its_margins_and_class():
    figure = brittle_images(MARGINS, OUTPUTS, EXAMPLES, classifier="cnn", columns=3)

    noun = min(cell.noun.margins.min() for cell in MARGINS if cell.entry == "cnn" and cell.seed == 0
                and cell.margin != "certified")  # fmt: skip
    assert figure.axes[1].get_title().startswith(f"{noun:.3f}\n")
    assert [axes.texts[0].get_text().split("\n")[0] for axes in figure.axes[::4]] == [
        "nearest to", "smallest", "farthest from", "greatest",
    ]  # fmt: skip


def test_what_stands_above_an_image_is_large_enough_to_read_and_does_not_touch_its_neighbours():
    figure = brittle_images(MARGINS, OUTPUTS, EXAMPLES, classifier="cnn")

    rows = [figure.axes[start : start + 8] for start in range(0, len(figure.axes), 8)]
    for heads, *images in rows:
        titles = [heads._right_title, *(axes.title for axes in images)]
        boxes = [title.get_window_extent() for title in titles]
        assert min(title.get_fontsize() for title in titles) >= 8
        assert all(left.x1 < right.x0 for left, right in pairwise(boxes))
        assert boxes[0].x0 >= 0
    tops = [max(axes.title.get_window_extent().y1 for axes in row[1:]) for row in rows]
    floors = [figure.bbox.y1, *(min(axes.get_window_extent().y0 for axes in row[1:]) for row in rows[:-1])]
    assert all(top < floor for top, floor in zip(tops, floors, strict=True))


def test_the_error_of_a_subset_is_drawn_in_points_from_zero():
    rows = rows_of(subset_robustness)

    figure = subset_errors(rows)

    value = next(row.value for row in rows if row.metric == "absolute_error_of_20_mean" and row.entry == "cnn")
    drawn = {float(y) for line in figure.axes[0].lines for y in np.asarray(line.get_ydata())}
    assert any(y == pytest.approx(100 * value) for y in drawn)
    assert all(axes.get_ylim()[0] == 0 for axes in figure.axes)


def test_every_classifier_is_one_point_of_tau_against_robust_accuracy():
    figure = tau_against_robustness(rows_of(margins))

    assert {text.get_text() for text in figure.axes[0].texts} == {"cnn", "cnn_pgd"}
    assert "cnn_pgd" in drawing.description(figure)


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
        "The logit margin ranks best in plain (robust accuracy 2%), with tau 0.90;"
        " the most robust network is robust (robust accuracy 74%), with tau 0.59"
    )
    assert figure.axes[0].get_ylim()[0] == pytest.approx(0.55)
    assert all(text.arrow_patch for text in figure.axes[0].texts)


def test_every_stand_in_has_a_line_of_its_own():
    figure = margin_proxies(rows_of(margins))

    assert [text.get_text() for text in figure.axes[0].get_yticklabels()][:2] == [
        "logit margin",
        "exact feature margin",
    ]


def test_the_threshold_of_the_evaluation_is_drawn():
    row = STUDY["metric_row"]("threshold", 1.25, entry="cnn", seed=0)
    cells = [cell for cell in MARGINS if cell.entry == "cnn"]

    figure = margin_evasion_histograms(cells, OUTPUTS, [row])

    assert any(list(line.get_xdata()) == [1.25, 1.25] for line in figure.axes[0].lines)
    count = len(next(cell for cell in cells if cell.seed == 0).noun.margins)
    labels = [text.get_text() for text in figure.axes[0].get_legend().texts]
    assert all(label.endswith(f" of {count} inputs)") for label in labels)
    assert "above 1.25" in drawing.description(figure)


@pytest.mark.parametrize("figure", [subset_errors, tau_against_robustness, margin_proxies])
def test_rows_of_another_evaluation_are_refused(figure):
    with pytest.raises(ValueError, match="no "):
        figure([replace(rows_of(margins)[0], metric="something_else")])

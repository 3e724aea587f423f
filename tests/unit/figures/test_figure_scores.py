from dataclasses import replace

import numpy as np
import pytest

from touchstone.figures.roc_curves import roc_curves
from touchstone.figures.score_histograms import score_histograms
from touchstone.records.nouns import Cell, Scores


def scores(values, examples, detector="energy", seed=0, entry="cnn", **settings):
    noun = Scores(np.array(values, dtype=float), np.arange(len(values)), np.zeros(len(values), dtype=np.int64))
    return Cell(noun, examples, entry=entry, seed=seed, detector=detector, examples=examples, settings=settings)


ID = scores([1.0, 2.0, 3.0], "digits", thresholds={"0.05": 2.5})
OOD = scores([2.0, 4.0, 5.0], "photographs")
OTHERS = [
    scores([0.0] * 3, "digits", seed=1),
    scores([9.0] * 3, "photographs", seed=1),
    scores([9.0], "x", entry="mlp"),
]


def test_the_roc_curve_of_six_points_goes_through_its_thresholds():
    figure = roc_curves([ID, OOD, *OTHERS], id_examples="digits", resamples=10)

    line = figure.axes[0].lines[0]
    assert [(round(3 * x), round(3 * y)) for x, y in line.get_xydata()] == [
        (0, 0), (0, 1), (0, 2), (1, 2), (2, 3), (3, 3),
    ]  # fmt: skip
    assert line.get_label() == "0.833"
    assert figure.axes[0].get_title() == "photographs"


def test_the_roc_band_holds_the_curve_ends():
    figure = roc_curves([ID, OOD], id_examples="digits", resamples=10)

    heights = figure.axes[0].collections[0].get_paths()[0].vertices[:, 1]
    assert heights.min() >= 0 and heights.max() == 1


def test_roc_panels_are_the_anomalous_sets_and_lines_the_detectors():
    more = [scores([0.0, 1.0], "digits", "msp"), scores([5.0], "photographs", "msp"), scores([0.0], "noise")]

    figure = roc_curves([ID, OOD, *more], id_examples="digits", resamples=10)

    assert [axes.get_title() for axes in figure.axes] == ["photographs", "noise"]
    assert [len(axes.get_legend().texts) for axes in figure.axes] == [2, 1]


def test_roc_curves_of_a_seed_without_scores_are_refused():
    with pytest.raises(ValueError, match=r"no scores of cnn\.7 on digits"):
        roc_curves([ID, OOD], id_examples="digits", seed=7)


def test_histograms_count_shares_and_mark_thresholds():
    figure = score_histograms([ID, OOD, *OTHERS], id_examples="digits", bins=4)

    (axes,) = figure.axes
    shares = [patch.get_data().values.sum() for patch in axes.patches]
    assert shares == pytest.approx([1, 1])
    assert [line.get_xdata()[0] for line in axes.lines] == [2.5]
    assert axes.texts[0].get_text().strip() == "5% FPR"


def test_legends_call_the_in_distribution_set_clean_and_attacks_by_their_names():
    attacked = scores([2.0, 3.0], "digits")
    attacked = replace(attacked, attack="pgd", victim="cnn.0")

    figure = score_histograms([ID, OOD, attacked], id_examples="digits")

    assert [text.get_text() for text in figure.legends[0].texts] == ["clean", "photographs", "pgd"]


def test_histograms_of_equal_scores_have_a_width():
    figure = score_histograms([scores([1.0] * 3, "digits"), scores([1.0], "noise")], id_examples="digits")

    assert figure.axes[0].patches[0].get_data().values.sum() == pytest.approx(1)


def test_histograms_without_id_scores_are_refused():
    with pytest.raises(ValueError, match="energy on digits: none is given"):
        score_histograms([OOD], id_examples="digits")

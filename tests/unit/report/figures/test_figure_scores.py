import numpy as np
import pytest

from touchstone.records.nouns import Cell, Scores
from touchstone.report import drawing
from touchstone.report.figures.roc_curves import roc_curves


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
    assert line.get_label() == "0.83 energy"
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


def test_the_title_has_the_set_that_even_the_best_detector_separates_least():
    more = [
        scores([0.0, 1.0, 9.0], "photographs", "msp"),
        scores([0.0, 0.1, 0.2], "digits", "msp"),
        scores([9.0], "noise"),
    ]

    title = drawing.takeaway(roc_curves([ID, OOD, *more], id_examples="digits", resamples=10))

    assert title.startswith("Hardest to detect is photographs: there the best detector, energy, has AUROC 0.83")

"""The matrix of detectors."""

import pytest

import synthetic_study
from touchstone.evaluations.detection import detection
from touchstone.report import drawing
from touchstone.report.figures.detector_matrix import detector_matrix

STUDY = vars(synthetic_study)
NOUNS = STUDY["NOUNS"]
ASKED = {"id_examples": "digits_test", "resamples": 5}


@pytest.fixture(scope="module")
def detected():
    return detection(NOUNS["scores"], NOUNS["outputs"], **ASKED)


def rows_of(axes):
    return [label.get_text() for label in axes.get_yticklabels()]


def test_supervised_detectors_have_a_panel_of_their_own(detected):
    figure = detector_matrix(detected, NOUNS["detectors"], classifier="cnn", trivial=["energy"])

    trained, others = figure.axes
    assert (rows_of(trained), sorted(rows_of(others))) == (["mahalanobis"], ["energy (trivial)", "msp"])


def test_a_cell_holds_the_mean_over_seeds_and_attacks_count_where_they_succeeded(detected):
    figure = detector_matrix(detected, NOUNS["detectors"], classifier="cnn")

    def mean(metric, examples):
        about = (metric, "cnn+mahalanobis", examples)
        return next(row.value for row in detected if (row.metric, row.entry, row.examples) == about)

    shown = [text.get_text() for text in figure.axes[0].texts][::2]  # between them the intervals
    columns = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert shown[columns.index("uniform")] == f"{mean('auroc_mean', 'uniform'):.2f}"
    expected = mean("auroc_successes_mean", "digits_test/pgd")
    assert shown[columns.index("pgd that succeeded")] == f"{expected:.2f}"


@pytest.mark.parametrize(("by", "order"), [("mean_of_sets", ["msp", "energy"]), ("noise", ["energy", "msp"])])
def test_detectors_are_sorted_by_one_column_that_the_figure_names(by, order):
    values = {("energy", "noise"): 0.9, ("msp", "noise"): 0.8, ("energy", by): 0.4, ("msp", by): 0.7}
    values |= {("energy", "noise"): 0.9, ("msp", "noise"): 0.8}
    rows = [
        STUDY["metric_row"]("auroc", value, value, value, entry=f"cnn+{name}", examples=examples)
        for (name, examples), value in values.items()
    ]

    figure = detector_matrix(rows, NOUNS["detectors"], classifier="cnn", trivial=[])

    assert rows_of(figure.axes[0]) == order
    assert f"rows are in the order of {by.replace('_', ' ')}" in figure.axes[0].get_xlabel()


def test_a_matrix_without_numbers_is_refused():
    with pytest.raises(ValueError, match="no AUROC of a detector on cnn"):
        detector_matrix([], NOUNS["detectors"])


def test_the_title_has_the_best_detector_of_each_kind(detected):
    figure = detector_matrix(detected, NOUNS["detectors"], classifier="cnn", trivial=["energy", "msp"])

    title = drawing.takeaway(figure)
    assert "the best detector trained on anomalies is mahalanobis (AUROC " in title
    assert ", a trivial one (AUROC " in title

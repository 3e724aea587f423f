"""The matrix of detectors, and the curves of evasion."""

import pytest

import synthetic_study
from touchstone.evaluations.detection import detection
from touchstone.report.figures.detector_matrix import detector_matrix
from touchstone.report.figures.evasion_curves import evasion_curves

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
    assert figure.axes[0].get_ylabel() == f"detector, by {by}"


def test_a_matrix_without_numbers_is_refused():
    with pytest.raises(ValueError, match="no AUROC of a detector on cnn"):
        detector_matrix([], NOUNS["detectors"])


def evading(metric, eps, value, knows="oblivious", seed=0):
    threat = f"{knows} linf eps={eps:g} steps=40 (pgd)"
    return STUDY["metric_row"](
        metric, value, value, value, threat=threat, seed=seed, entry="cnn+msp", examples="digits"
    )


def test_three_lines_per_detector_and_at_equal_eps_the_attack_that_gets_furthest():
    rate, knows = "evasion_rate_at_0.05", "white-box adaptive to msp@0.05"
    rows = [
        evading("wrong_rate", 0.1, 0.9), evading(rate, 0.1, 0.2),
        evading(rate, 0.1, 0.5, knows), evading(rate, 0.1, 0.7, knows), evading(rate, 0.2, 0.8, knows),
    ]  # fmt: skip

    (axes,) = evasion_curves(rows).axes

    lines = {line.get_label(): list(line.get_ydata()) for line in axes.lines}
    assert lines == {
        "network alone:\nPGD, 40 steps": [0.9], "attacker who knows the network:\nPGD, 40 steps": [0.2],
        "attacker who knows both:\nPGD, 40 steps": [0.7, 0.8],
    }  # fmt: skip


def test_curves_without_an_adaptive_attack_are_refused():
    with pytest.raises(ValueError, match="no adaptive attack"):
        evasion_curves([evading("wrong_rate", 0.1, 0.9)])

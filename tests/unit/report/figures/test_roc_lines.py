import numpy as np
import pytest
from matplotlib.figure import Figure

from touchstone.evaluations.statistics import rank_intervals
from touchstone.evaluations.statistics.estimators import roc
from touchstone.report import drawing
from touchstone.report.figures._roc_lines import roc_line
from touchstone.report.figures._words import auroc_words, percent

GENERATOR = np.random.default_rng(0)
SCORES = GENERATOR.normal(0, 1, 40), GENERATOR.normal(1, 1, 30)
LOOK = {"color": "#336699", "linestyle": "--"}


@pytest.fixture
def axes():
    return Figure().subplots()


def test_the_line_is_the_roc_curve_in_the_look_that_was_asked_for(axes):
    roc_line(axes, *SCORES, label="0.8", look=LOOK, resamples=20)

    (line,) = axes.lines
    np.testing.assert_array_equal(line.get_xydata().T, drawing.thinned(*roc(*SCORES)))
    assert (line.get_color(), line.get_linestyle(), line.get_label()) == ("#336699", "--", "0.8")


def test_the_band_is_that_of_the_stratified_bootstrap_and_named_in_no_legend(axes):
    roc_line(axes, *SCORES, label="0.8", look=LOOK, resamples=20)

    across, low, high = rank_intervals.roc_band(*SCORES, resamples=20, seed=0)
    (band,) = axes.collections
    outline = band.get_paths()[0].vertices
    for ends in (low, high):
        assert {*zip(across, ends, strict=True)} <= {tuple(point) for point in outline}
    assert axes.get_legend_handles_labels()[1] == ["0.8"]


@pytest.mark.parametrize(
    ("value", "auroc", "share"),
    [(1, "1.00", "100%"), (0.9998, "> 0.999", "> 99%"), (0.9951, "0.995", "> 99%"), (0.5, "0.50", "50%"), (0.001, "0.00", "< 1%"),
     (0, "0.00", "0%")],
)  # fmt: skip
def test_no_rounding_makes_a_score_or_a_share_perfect(value, auroc, share):
    assert (auroc_words(value), percent(value)) == (auroc, share)

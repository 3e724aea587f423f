from dataclasses import replace

import pytest

from touchstone.evaluations.statistics.intervals import Interval
from touchstone.evaluations.statistics.rows import row
from touchstone.records.nouns import Cell
from touchstone.report import drawing
from touchstone.report.figures.attacked_scores import attacked_scores

CELL = Cell(None, "file", entry="cnn", seed=0, examples="faces")


def measured(entry, value, examples="faces", metric="auroc_union"):
    on = f"{examples}/union" if metric == "auroc_union" else examples
    return row(metric, Interval(value, value, value), cell=CELL, entry=entry, examples=on, n=9, files=[CELL])


def both(entry, clean, attacked, examples="faces"):
    return [measured(entry, clean, examples, "auroc_clean"), measured(entry, attacked, examples)]


ROWS = [
    *both("cnn_oe+best", 1.0, 0.9),
    *both("cnn_aloe+best", 0.99, 0.95),
    *both("cnn_aloe+best", 0.8, 0.7, "noise"),
    *both("cnn_aloe+msp", 0.5, 0.4),
    *both("before+best", 1.0, 0.9),
    measured("cnn_aloe+mean_intensity", 0.97, metric="auroc"),
]
DRAW = {"entries": ["cnn_oe", "cnn_aloe"], "detectors": ["mean_intensity"]}


def dots(figure):
    """The AUROCs that the figure draws, by panel, from the top: clean ones are above attacked ones."""
    found = {}
    for axes in figure.axes:
        marked = [line for line in axes.lines if line.get_marker() == "o" and len(line.get_xdata())]
        marked.sort(key=lambda line: -line.get_ydata()[0])
        found[axes.get_title()] = [line.get_xdata()[0] for line in marked]
    return found


def test_each_set_has_the_best_score_of_each_training_and_the_detectors_of_pixels():
    assert dots(attacked_scores(ROWS, **DRAW)) == {"faces": [1.0, 0.9, 0.99, 0.95, 0.97], "noise": [0.8, 0.7]}


def test_the_mean_over_seeds_is_drawn_in_place_of_a_seed():
    means = [replace(each, metric=f"{each.metric}_mean", seed=None, value=each.value / 2) for each in ROWS]

    assert dots(attacked_scores(ROWS + means, **DRAW))["noise"] == [0.4, 0.35]


def test_the_title_says_which_training_keeps_most_and_which_least():
    title = drawing.takeaway(attacked_scores(ROWS, **DRAW))

    assert title == (
        "With both sides attacked, the AUROC on faces is greatest with cnn aloe (0.95), least with cnn oe (0.90)"
    )


def test_a_figure_needs_an_attack():
    with pytest.raises(ValueError, match="no AUROC under attack of cnn_oe, cnn_aloe"):
        attacked_scores(ROWS[-1:], **DRAW)

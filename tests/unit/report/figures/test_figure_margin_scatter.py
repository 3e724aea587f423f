import numpy as np
import pytest

from touchstone.records.nouns import Cell, Margins, Outputs
from touchstone.report.figures.margin_scatter import margin_scatter


def cells(values, leads, labels):
    values, rows = np.array(values), len(values)
    logits = np.stack([np.array(leads), np.zeros(rows)], axis=1).astype(np.float32)
    place = {"entry": "cnn", "seed": 0, "examples": "digits"}
    margins = Margins(
        values, np.isfinite(values), np.array(labels), np.zeros(rows, np.int64), np.arange(rows), "linf", "exact"
    )
    order = np.arange(rows)[::-1]  # other order in the outputs: rows are joined by id
    outputs = Outputs(logits[order], np.array(labels)[order], order)
    return [Cell(margins, "m", margin="exact", **place)], [Cell(outputs, "o", **place)]


def test_points_stand_at_input_and_logit_margin_in_two_colours():
    figure = margin_scatter(*cells([0.1, 0.2, np.inf], [1.0, 3.0, 2.0], [0, 0, 1]))

    right, wrong = figure.axes[0].collections
    np.testing.assert_allclose(right.get_offsets(), [[0.1, 1], [0.2, 3]])
    np.testing.assert_allclose(wrong.get_offsets(), [[0.2 * 1.08, 2]])  # not found: at the edge
    assert right.get_facecolor().tolist() != wrong.get_facecolor().tolist()


def test_the_title_gives_tau_with_margins_not_found_last():
    figure = margin_scatter(*cells([0.1, 0.2, np.inf], [1.0, 3.0, 2.0], [0, 0, 1]))

    assert figure.axes[0].get_title(loc="center") == "cnn, seed 0: tau = 0.33"
    assert "Kendall's tau 0.33 for cnn on" in figure.get_label()


def test_margins_of_another_seed_are_refused():
    with pytest.raises(ValueError, match="no margins of seed 3"):
        margin_scatter(*cells([0.1, 0.2], [1.0, 3.0], [0, 0]), seed=3)


@pytest.mark.parametrize("margin", [np.inf, 0.0], ids=["none found", "all 0"])
def test_equal_margins_have_no_order_and_the_figure_says_so(margin):
    figure = margin_scatter(*cells([margin] * 3, [1.0, 2.0, 3.0], [0, 0, 0]))

    assert figure.axes[0].get_title() == "cnn, seed 0: all margins are equal"
    assert figure.get_suptitle().replace("\n", " ").endswith("no network order its inputs: all margins are equal")

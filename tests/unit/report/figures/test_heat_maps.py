"""Numbers and intervals in coloured cells: read from rows, inside their cells, large enough to print."""

from itertools import combinations

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

import synthetic_study
from touchstone.evaluations.detection import detection
from touchstone.report import drawing
from touchstone.report.figures import _heat_maps
from touchstone.report.figures.detector_matrix import detector_matrix

STUDY = vars(synthetic_study)
LEAST = 5.5  # points: what is smaller cannot be read in print


def row(value, low, high, **columns):
    return STUDY["metric_row"]("auroc", value, low, high, **columns)


def texts(axes):
    return [text for text in axes.texts if text.get_text()]


def in_cells(axes):
    """Return the texts of a panel by the cell that they are about, as boxes of its own coordinates."""
    renderer = axes.figure.canvas.get_renderer()
    cells = {}
    for text in texts(axes):
        box = text.get_window_extent(renderer).transformed(axes.transData.inverted())
        cells.setdefault(text.xy, []).append((text, box))
    return cells


def check_texts_stay_in_their_cells(figure):
    FigureCanvasAgg(figure).draw()
    for axes in figure.axes:
        for (across, down), written in in_cells(axes).items():
            for text, box in written:
                assert across - 0.5 < min(box.x0, box.x1) and max(box.x0, box.x1) < across + 0.5, text.get_text()
                assert down - 0.5 < min(box.y0, box.y1) and max(box.y0, box.y1) < down + 0.5, text.get_text()
                assert text.get_fontsize() >= LEAST
            assert not any(one.overlaps(other) for (_, one), (_, other) in combinations(written, 2))


def drawn(columns, rows=5, high=0.88):
    with drawing.style():
        names, sets = [f"detector_{place}" for place in range(rows)], [f"set_{place}" for place in range(columns)]
        figure, (axes,) = _heat_maps.figure_of({"": names}, sets)
        shown = {(name, given): row(0.81, 0.74, high) for name in names for given in sets}
        words = {"title": "AUROC", "small": "95 % interval", "words": ("detector", "set")}
        called = {name: name for name in (*names, *sets)}
        _heat_maps.draw(axes, shown, names, sets, **words, names=called)
    return figure


@pytest.mark.parametrize("columns", [1, 8, 10])
def test_numbers_and_intervals_lie_in_their_cells_and_apart(columns):
    check_texts_stay_in_their_cells(drawn(columns))


def test_cells_that_are_too_narrow_have_no_intervals():
    axes = drawn(15).axes[0]

    assert {text.get_text() for text in axes.texts} == {"0.81"}
    assert axes.get_title(loc="left") == "AUROC"


def test_the_check_sees_a_text_that_is_too_wide(monkeypatch):
    monkeypatch.setattr(_heat_maps, "CROWD", 22)
    with pytest.raises(AssertionError, match=r"0\.74–0\.88"):
        check_texts_stay_in_their_cells(drawn(22))


def test_a_cell_tells_its_number_and_its_ends_and_without_ends_the_number_alone():
    assert [text.get_text() for text in drawn(1, rows=1).axes[0].texts] == ["0.81", "0.74–0.88"]
    assert [text.get_text() for text in drawn(1, rows=1, high=None).axes[0].texts] == ["0.81"]


@pytest.mark.parametrize(
    ("methods", "words"),
    [
        (["exact", "score"], "95 % interval"),
        (["range"], "range over seeds"),
        (["range", "exact"], "95 % interval or range over seeds"),
    ],
)
def test_the_title_tells_what_the_small_type_is(methods, words):
    assert _heat_maps.what_ends_are(row(0.5, 0.4, 0.6, method=method) for method in methods) == words


def test_the_map_of_the_report_shows_an_interval_in_every_cell():
    nouns, settings = STUDY["given"](detection)
    with drawing.style():
        picture = detector_matrix(detection(*nouns, **settings), STUDY["detector_cells"]())

    check_texts_stay_in_their_cells(picture)
    for axes in picture.axes:
        cells = in_cells(axes)
        assert cells and all(len(written) == 2 and "–" in written[1][0].get_text() for written in cells.values())

"""One contract for every figure of the folder, and the mutants that it must reject."""

from __future__ import annotations

import importlib
import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

import synthetic_study
import touchstone
from touchstone.evaluations.detection import detection
from touchstone.evaluations.evasion import evasion
from touchstone.evaluations.margins import margins
from touchstone.evaluations.robustness import robustness
from touchstone.evaluations.translation import translation
from touchstone.evaluations.union_detection import union_detection
from touchstone.records.metric_rows import ADAPTIVE, OBLIVIOUS
from touchstone.report import drawing, palette

FOLDER = Path(touchstone.__file__).parent / "report/figures"
NAMES = sorted(path.stem for path in FOLDER.glob("[a-z]*.py"))
STUDY = vars(synthetic_study)
DETECTION = {"id_examples": "digits_test", "resamples": 5}
METHODS = ["cnn", "cnn_pgd", "energy", "mahalanobis", "msp"]
CODE = r"\w_\w|[a-z]\.\d"  # a name of an entry, or of a network with its seed


def adaptive(rows):
    """The rows of an evasion evaluation as if each attack had known the detector too."""
    knowledge = {"knowledge": ADAPTIVE, "of": "msp@0.05"}
    return [
        replace(row, threat=replace(row.threat, **knowledge)) if row.threat.knowledge == OBLIVIOUS else row
        for row in rows
    ]


@pytest.fixture(scope="module", autouse=True)
def numbers():
    """The numbers that figures show, measured on the made-up study."""
    nouns = STUDY["NOUNS"]
    nouns["metrics"] = [
        row
        for question in (robustness, margins, translation)
        for cells, settings in [STUDY["given"](question)]
        for row in question(*cells, **settings)
    ]
    tested = [cell for cell in nouns["scores"] if cell.examples == "digits_test"]
    evaded = evasion(nouns["outputs"], tested, nouns["detectors"], [], nouns["calibration_scores"])
    union, settings_of_union = STUDY["given"](union_detection)
    # The rows of some figures instead.
    for name, rows in {
        "detector_matrix": detection(nouns["scores"], nouns["outputs"], **DETECTION),
        "evasion_by_knowledge": evaded + adaptive(evaded),
        "attacked_scores": union_detection(*union, **settings_of_union)
        + detection(nouns["scores"], nouns["outputs"], **DETECTION),
    }.items():
        STUDY["OWN_NOUNS"][name] = {"metrics": rows}


def component(name):
    return getattr(importlib.import_module(f"touchstone.report.figures.{name}"), name)


def draw(function):
    cells, settings = STUDY["given"](function)
    with drawing.style(), palette.methods(METHODS):
        return function(*cells, **settings)


drawn = cache(draw)  # for checks that only look


def check_it_says_what_it_shows(function):
    assert len(drawing.description(drawn(function))) > 30


def check_the_title_is_a_finding(function):
    """A bold sentence with a number in it, and no name of an entry; what is compared stands in it, no difference alone."""
    title = drawing.takeaway(drawn(function))
    assert re.search(r"\d", title), f"no number in {title!r}"
    assert len(title.split()) > 5, f"no sentence: {title!r}"
    assert not re.search(r"differ|changes? by|AUROC \d+ ?%", title)
    assert not re.search(CODE, title + drawing.description(drawn(function)))


def check_axes_have_words(function):
    figure = drawn(function)
    if drawing.is_raster(figure):
        assert any(axes.texts for axes in figure.axes)
        return
    for axes in figure.axes:
        assert axes.get_title(loc="left") or axes.get_title() or len(figure.axes) == 1  # several panels each need one
        below = figure.axes[-1] if axes.get_shared_x_axes().joined(axes, figure.axes[-1]) else axes
        assert axes.get_xlabel() or below.get_xlabel() or figure.get_supxlabel()
        assert axes.get_ylabel() or figure.get_supylabel()


def check_the_same_bytes_again(function):
    first, second = drawn(function), draw(function)
    assert drawing.svg(first, "name") == drawing.svg(second, "name")
    if drawing.is_raster(first):  # of the others no PNG is made
        assert drawing.png(first) == drawing.png(second)


def check_no_global_state(function):
    before = str(np.random.get_state())
    draw(function)
    assert str(np.random.get_state()) == before


def check_methods_keep_their_colours(function):
    figure = drawn(function)
    colours = {name: palette.COLOURS[key] for name, key in zip(METHODS, palette.COLOURS, strict=False)}
    lines = [(str(line.get_label()), line) for axes in figure.axes for line in axes.lines]
    for legend in figure.legends:
        lines += [(text.get_text(), line) for text, line in zip(legend.texts, legend.legend_handles, strict=True)]
    for name, line in lines:
        assert name not in colours or line.get_color() == colours[name], name


CONTRACT = [value for name, value in globals().items() if name.startswith("check_")]


@pytest.mark.parametrize("check", CONTRACT, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("error")
def test_every_figure_keeps_the_contract(name, check):
    check(component(name))


def wordless(metrics):
    """Draws and says nothing."""
    figure = Figure()
    figure.subplots().plot([0, 1], label="cnn", color="red")
    return figure


def named(metrics):
    """Says what it is about, and not what is so."""
    figure = drawing.described(Figure(), "accuracy of several networks")
    drawing.headline(figure, "Accuracy of cnn differs by 20 points from that of cnn_pgd")
    return figure


def coded(metrics):
    """Calls networks what only the study calls them."""
    figure = drawing.described(Figure(), "accuracy of several networks")
    drawing.headline(figure, "At eps 0.1, cnn_pgd is right on 80% of the images")
    return figure


def restless(metrics):
    """Draws something else at each call, out of the global generator."""
    figure = drawing.described(Figure(), "a line that is never twice the same one")
    figure.subplots().plot(np.random.random(3))
    return figure


MUTANTS = [
    (wordless, check_it_says_what_it_shows, ValueError),
    (wordless, check_axes_have_words, AssertionError),
    (wordless, check_the_title_is_a_finding, AssertionError),
    (named, check_the_title_is_a_finding, AssertionError),
    (coded, check_the_title_is_a_finding, AssertionError),
    (wordless, check_methods_keep_their_colours, AssertionError),
    (restless, check_the_same_bytes_again, AssertionError),
    (restless, check_no_global_state, AssertionError),
]


@pytest.mark.parametrize(("mutant", "check", "error"), MUTANTS)
def test_the_contract_rejects_mutants(mutant, check, error):
    with pytest.raises(error):
        check(mutant)

"""The picture of how far a verdict carries, and what the page and claims.csv say beside it."""

import csv

import pytest
from hand_made_claims import asks, book
from hand_made_variants import CLAIM, flagship, judged, tried, variant

from touchstone.claims.verdicts import Verdict
from touchstone.evaluations.statistics.sanity_checks import Doubts
from touchstone.report import drawing, palette
from touchstone.report.claim_files import claim_rows, claims_csv
from touchstone.report.claim_table import page_lines
from touchstone.report.variant_grid import FAILS, HOLDS, SIDES, variant_grid

CHANGED = {"long": (0.2, 0.9), "short": (0.8, 0.9), "near": (0.5, 0.9), "blind": (0.8, 0.1)}


def verdict(claim=CLAIM, itself=(0.78, 0.8, 0.82)):
    """Return a verdict in four variants, one of each word."""
    rows = [row for name, (robust, clean) in CHANGED.items() for row in variant(robust, clean, entry=name)]
    settings = tried(**{name: {"roles": {"net": name, "examples": "test"}} for name in CHANGED})
    return judged([*flagship(robust=itself), *rows], settings, claim)


def drawn(verdict):
    with drawing.style():
        return variant_grid(verdict)


def texts(figure):
    (axes,) = figure.axes
    return [text.get_text() for text in axes.texts]


def test_every_row_has_its_change_and_its_word_the_claim_itself_first():
    (axes,) = (figure := drawn(verdict())).axes

    labels = [label.get_text() for label in axes.get_yticklabels()][::-1]
    assert labels == ["as it was judged\n(3 seeds)", *(f"change {name}" for name in CHANGED)]
    assert texts(figure) == [
        "holds",
        "turns",
        "holds",
        "inconclusive",
        "did not learn",
        "> 50\u202f%",
    ]
    found = "holds 1, turns 1, inconclusive 1 of 3 (1 more did not learn)"
    assert drawing.takeaway(figure) == f"In variants of the experiment, one change each: {found}"


def test_the_colour_says_on_which_side_a_number_is():
    def colours(figure):
        (axes,) = figure.axes
        return [line.get_color() for line in axes.lines if line.get_marker() == "o"]

    blue, red = SIDES[HOLDS], SIDES[FAILS]
    assert {blue, red} == {palette.COLOURS["blue"], palette.COLOURS["vermilion"]}
    assert colours(drawn(verdict())) == [blue, red, blue, drawing.FAINT, drawing.FAINT]
    assert colours(drawn(verdict(itself=(0.08, 0.1, 0.12)))) == [red, red, blue, drawing.FAINT, drawing.FAINT]


def test_the_description_has_every_number_with_its_word():
    words = drawing.description(drawn(verdict()))
    assert "as it was judged: holds, 80.0\u202f% [" in words
    assert "change long: turns, 20.0\u202f% [" in words
    assert "change blind: did not learn, 80.0\u202f% [" in words


@pytest.mark.parametrize("bound", [{"between": [0.4, 0.6]}, {"at_most": 0.9}, {"below": 0.9}, {"at_least": 0.01}])
def test_every_kind_of_bound_is_drawn_inside_the_picture(bound):
    (axes,) = drawn(verdict(asks(metric="robust_accuracy", **bound))).axes
    low, high = axes.get_xlim()
    ends = bound.get("between") or [*bound.values()]
    assert all(low < 100 * end < high for end in ends)


def test_nothing_measured_is_no_picture():
    with pytest.raises(ValueError, match="no number of S9-1 was measured"):
        variant_grid(Verdict(verdict().claim, "not run"))


def test_claims_csv_counts_the_words_and_notes_every_variant():
    found = verdict()
    (line,) = csv.DictReader(claims_csv(book(S9_1=CLAIM), [found]).decode().splitlines())
    assert line["variants"] == "holds 1, turns 1, inconclusive 1 of 3 (1 more did not learn)"
    assert "in a variant, change long: turns, 20.0 % [" in line["note"]
    assert "clean accuracy 10.0 %, against 90.0 % of its kind" in line["note"]


def test_the_page_says_how_far_the_verdict_carries_and_why_each_variant_is_tried():
    found = verdict()
    ((line,), _) = page_lines(book(S9_1=CLAIM), [found], claim_rows([found], 2), Doubts(()))
    assert line.carries == "holds 1, turns 1, inconclusive 1 of 3 (1 more did not learn)"
    assert line.turned.startswith("The verdict turns with change long (20.0\u202f%")
    assert line.variants[0][:3] == ("change long", "why", "turns")

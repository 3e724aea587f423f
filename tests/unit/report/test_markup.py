import math
import re

import pytest

from touchstone.report import markup
from touchstone.report.claim_table import ClaimNumber
from touchstone.report.tables import Number


def number(value):
    return Number(value, f"{value:g}", "[<low>, high]", 7, "title")


def shapes(part, word="confirmed"):
    """{class: (left, width)} of the rectangles, and where the dot is."""
    drawn = markup.interval(part, word)
    found = re.findall(r'<rect class="(\w+)" x="([\d.-]+)" y="[\d.]+" width="([\d.]+)"', drawn)
    dot = float(re.search(r'<circle cx="([\d.]+)"', drawn)[1])
    return {name: (float(left), float(width)) for name, left, width in found}, dot


def test_a_claim_in_a_text_becomes_a_link_to_its_line_and_other_words_stay():
    assert markup.linked("<S4-2> and X4-2") == '&lt;<a href="#claim-S4-2">S4-2</a>&gt; and X4-2'


def test_a_number_is_a_button_that_names_its_line_and_escapes_its_words():
    button = markup.number(number(0.25), "share of <b>")

    assert 'data-row="7"' in button and "[&lt;low&gt;, high]" in button and "share of &lt;b&gt;: 0.25" in button
    assert markup.number(None) == '<span class="none">–</span>'


@pytest.mark.parametrize(
    ("band", "left", "right"),
    [((0.85, math.inf), 0.85, 1.0), ((-math.inf, 0.2), 0.0, 0.2), ((0.6, 0.9), 0.6, 0.9)],
)
def test_a_share_is_drawn_from_0_to_1_with_the_band_that_its_criterion_asks_for(band, left, right):
    rectangles, dot = shapes(ClaimNumber("share", number(0.5), "≥ .85", 0.4, 0.7, band))

    across = markup.WIDTH - 12
    assert rectangles["band"] == pytest.approx((6 + across * left, across * (right - left)), abs=0.1)
    assert rectangles["reach"] == pytest.approx((6 + across * 0.4, across * 0.3), abs=0.1)
    assert dot == markup.WIDTH / 2 and "zero" not in rectangles


def test_a_difference_is_drawn_around_0():
    rectangles, dot = shapes(ClaimNumber("gain", number(-0.1), "", -0.3, 0.1, None, difference=True))

    assert rectangles["zero"][0] == markup.WIDTH / 2 - 0.5
    assert dot < markup.WIDTH / 2 and "band" not in rectangles

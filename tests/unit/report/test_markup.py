import math
import re
from pathlib import Path

import pytest

from touchstone.report import markup
from touchstone.report.claim_table import ClaimNumber
from touchstone.report.tables import Number


def number(value):
    return Number(value, f"{value:g}", "[<low>, high]", 7)


def shapes(part, word="holds"):
    """{class: (left, width)} of the rectangles, and where the dot is."""
    drawn = markup.interval(part, word)
    found = re.findall(r'<rect class="(\w+)" x="([\d.-]+)" y="[\d.]+" width="([\d.]+)"', drawn)
    dot = float(re.search(r'<circle cx="([\d.]+)"', drawn)[1])
    return {name: (float(left), float(width)) for name, left, width in found}, dot


def test_a_claim_in_a_text_becomes_a_link_to_its_line_and_other_words_stay():
    assert markup.linked("<T1> and T12, L2", ["T1"]) == '&lt;<a href="#claim-T1">T1</a>&gt; and T12, L2'
    assert markup.linked("T1 <b>", []) == "T1 &lt;b&gt;"


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


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)", "JaVaScRiPt:alert(1)", " javascript:alert(1)", "java\tscript:alert(1)", "java\nscript:alert(1)",
        "\x01javascript:alert(1)", "data:text/html,<script>alert(1)</script>", "vbscript:x", "file:///etc/passwd", "//a.org",
        "blob:https://a.org", "javascript://a.org/%0aalert(1)", "https:a.org", "http:/\\a.org", "https://a.org/\x1b[2J", "",
        "https://a.org x", "\u00a0https://a.org", "&#106;avascript:alert(1)", "x-javascript:https://a.org", "https://",
    ],
)  # fmt: skip
def test_an_address_that_is_not_on_the_web_becomes_no_link(address):
    shown = str(markup.web_link(address, "text <b>"))

    assert shown == "text &lt;b&gt;" and "<a" not in markup.web_link(address)


def test_an_address_on_the_web_becomes_a_link_and_cannot_leave_its_attribute():
    assert markup.web_link("https://a.org/b?c=d", "e") == '<a href="https://a.org/b?c=d">e</a>'
    assert markup.web_link("HTTP://a.org") == '<a href="HTTP://a.org">HTTP://a.org</a>'
    assert '"onclick' not in markup.web_link('https://a.org/"onclick="b')


def test_every_template_that_prints_an_address_of_a_file_asks_whether_it_is_on_the_web():
    for path in Path(markup.__file__).parent.glob("templates/*.html"):
        for target in re.findall(r'(?:href|src|action)="([^"]*)"', path.read_text()):
            assert re.match(r"#|figures/|[a-z.]+\.(csv|tex|csv\.gz)$", target), (path.name, target)

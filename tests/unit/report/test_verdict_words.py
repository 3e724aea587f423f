"""The words beside a claim on the page, so that a reader who skims reads no counter-claim as the paper's."""

import re

import pytest

from touchstone.report.claim_table import ClaimLine, ClaimNumber
from touchstone.report.page import _environment, _tally
from touchstone.report.systems import System
from touchstone.report.tables import Number


def line(claim="S4-1", kind="paper", word="confirmed", attacker="does not apply", **more):
    facts = {"paper": "Translation", "setting": "", "criterion": "", "published": "", "numbers": (), "holm": None}
    return ClaimLine(claim=claim, kind=kind, word=word, attacker=attacker, says="", note="", **(facts | more))


def claim_number():
    return ClaimNumber("error", Number(0.5, "50 %", "[40, 60]", 2, "n = 10"), "≤ 60 %", 0.4, 0.6, (0.0, 0.6))


def system(*answers):
    return System("translation", "Translation", "", "", [], list(answers), list(answers), None, [])


def macro(template, name):
    return getattr(_environment().get_template(template).module, name)


def text(html):
    return " ".join(re.sub("<[^>]+>", " ", html).split())


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("confirmed", "counter-claim holds"),
        ("not confirmed", "counter-claim fails"),
        ("inconclusive", "counter-claim inconclusive"),
        ("reported", "reported"),
    ],
)
def test_a_counter_claim_has_words_and_a_colour_of_its_own(word, shown):
    html = str(macro("macros.html", "outcome")(line(kind="counter", word=word)))

    assert text(html) == shown
    assert f'class="verdict {shown.replace(" ", "-")}"' in html


def test_a_claim_of_the_paper_keeps_its_words():
    html = macro("macros.html", "outcome")(line(attacker="broken"))

    assert text(html) == "confirmed attacker who knows: broken"


def test_a_counter_claim_that_opens_the_page_has_the_papers_own_verdict_beside_it():
    counter, own = line("S4-6", "counter"), line("S4-1", word="not confirmed", attacker="broken")

    assert system(counter, own).own_claim == own
    assert system(own, counter).own_claim is None
    assert system(counter).own_claim is None
    assert text(macro("macros.html", "opening")(system(counter, own))) == (
        "counter-claim holds The paper's claim S4-1 : not confirmed attacker who knows: broken"
    )


def test_an_attack_on_the_papers_claim_is_said_once():
    counter = line("S0-6", "counter", "reported", decides=(("S0-2", "broken"),))

    assert text(macro("macros.html", "opening")(system(counter, line("S0-2", attacker="broken")))) == (
        "The paper's claim S0-2 : confirmed attacker who knows: broken"
    )


def judged(*lines, revised=()):
    """What the claims' section shows of these lines."""
    template = _environment().get_template("claims.html")
    return template.render(
        study="digits",
        claims=lines,
        other_claims=[],
        leading=list(lines),
        revised=revised,
        checks=True,
        tally=_tally(list(lines), []),
    )


def test_the_scorecard_says_how_many_confirmed_claims_stand_and_how_many_were_changed_late():
    number = claim_number()
    lines = [
        line("S0-1", holm=True, numbers=(number,)),
        line("S0-2", holm=False, changed_late=True, numbers=(number,)),
        line("S0-3", word="not confirmed", holm=False, changed_late=True, numbers=(number,)),
        line("S0-4", "counter", changed_late=True, numbers=(number,)),
    ]

    html = judged(*lines)

    assert (
        "2 confirmed: 1 stand if all claims are judged together (Holm), 1 had a criterion changed after an outcome was known"
        in text(html)
    )
    rows = {row[:4]: text(row) for row in html.split('<tr id="claim-')[1:]}
    assert "Holm" not in rows["S0-1"] and "criterion changed" not in rows["S0-1"]
    assert "not under Holm; criterion changed late" in rows["S0-2"]


def test_without_confirmed_claims_the_scorecard_has_no_such_line():
    assert "judged together (Holm)" not in text(judged(line(word="inconclusive", numbers=(claim_number(),))))

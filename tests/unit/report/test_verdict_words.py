"""The words beside a claim on the page, so that a reader who skims reads no counter-claim as the paper's."""

import re

import pytest

from touchstone.report.claim_table import ClaimLine
from touchstone.report.page import _environment
from touchstone.report.systems import System


def line(claim="S4-1", kind="paper", word="confirmed", attacker="does not apply", **more):
    facts = {"paper": "Translation", "setting": "", "criterion": "", "published": "", "numbers": (), "holm": None}
    return ClaimLine(claim=claim, kind=kind, word=word, attacker=attacker, says="", note="", **(facts | more))


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

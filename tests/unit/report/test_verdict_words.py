"""The words beside a claim on the page, so that a reader who skims reads no counter-claim as the paper's."""

import re

import pytest

from touchstone.report import packing
from touchstone.report.claim_table import ClaimLine, ClaimNumber
from touchstone.report.page import _environment, _tally
from touchstone.report.tables import Number


def line(claim="T1", kind="claim", word="holds", attacker="does not apply", **more):
    facts = {
        "paper": "Translation",
        "setting": "",
        "criterion": "",
        "origin": "",
        "known": False,
        "published": (),
        "numbers": (),
    }
    facts |= {"holm": None, "says": "", "note": ""}
    return ClaimLine(claim=claim, kind=kind, word=word, attacker=attacker, **(facts | more))


def claim_number():
    return ClaimNumber("error", Number(0.5, "50 %", "[40, 60]", 2), "≤ 60 %", 0.4, 0.6, (0.0, 0.6))


def macro(template, name):
    return getattr(_environment().get_template(template).module, name)


def text(html):
    return " ".join(re.sub("<[^>]+>", " ", html).split())


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("holds", "counter-claim holds"),
        ("fails", "counter-claim fails"),
        ("inconclusive", "counter-claim inconclusive"),
    ],
)
def test_a_counter_claim_has_words_and_a_colour_of_its_own(word, shown):
    html = str(macro("macros.html", "outcome")(line(kind="counter", word=word)))

    assert text(html) == shown
    assert f'class="verdict {shown.replace(" ", "-")}"' in html


def test_a_claim_of_the_paper_keeps_its_words():
    html = macro("macros.html", "outcome")(line(attacker="broken"))

    assert text(html) == "holds attacker who knows: broken"


def test_a_claim_that_opens_the_page_has_its_id_and_both_words_behind_its_sentence():
    opening = macro("macros.html", "opening")

    assert text(opening(line("G1", attacker="broken"))) == "G1 : holds attacker who knows: broken"
    assert text(opening(line("G6", "counter"))) == "G6 : counter-claim holds"


def judged(*lines, revised=()):
    """What the claims' section shows of these lines."""
    template = _environment().get_template("claims.html")
    return template.render(
        study="digits",
        claims=lines,
        other_claims=[],
        ids=[one.claim for one in lines],
        revised=revised,
        checks=True,
        tally=_tally(list(lines), []),
    )


def test_the_scorecard_says_how_many_claims_that_hold_stand_and_of_how_many_the_outcome_was_known():
    number = claim_number()
    lines = [
        line("G1", holm=True, numbers=(number,)),
        line("G2", holm=False, known=True, numbers=(number,)),
        line("G3", word="fails", holm=False, known=True, numbers=(number,)),
        line("G6", "counter", known=True, numbers=(number,)),
    ]

    html = judged(*lines)

    assert (
        "2 hold, 1 of them also if all claims are judged together (Holm). "
        "1 of them have a bound fixed or changed after an earlier run had shown an outcome" in text(html)
    )
    rows = {row[:2]: text(row) for row in html.split('<tr id="claim-')[1:]}
    assert "Holm" not in rows["G1"] and "known" not in rows["G1"]
    assert "not under Holm" in rows["G2"]


def test_the_list_of_claims_marks_a_number_of_an_attack_that_failed_a_check():
    weak = claim_number()._replace(number=Number(0.5, "50 %", "[40, 60]", 2, doubt="leaves more than a weaker attack"))
    beside = weak._replace(required="")  # it has no bound, so no verdict rests on it
    html = judged(line("M4", numbers=(claim_number(), weak)), line("M1", numbers=(claim_number(), beside)))

    rows = {row[:2]: text(row) for row in html.split('<tr id="claim-')[1:]}
    assert "⚠ failed check" in rows["M4"].split("holds", 1)[1] and "⚠" not in rows["M1"]


def test_the_scorecard_names_claims_that_no_figure_of_a_paper_stands_behind():
    html = text(
        judged(line("A1", published=("58 %",), numbers=(claim_number(),)), line("A2", numbers=(claim_number(),)))
    )

    assert "A2: our own questions, for which no figure of the papers was read." in html


def test_if_no_claim_holds_the_scorecard_has_no_such_line():
    assert "judged together (Holm)" not in text(judged(line(word="inconclusive", numbers=(claim_number(),))))


def test_a_number_without_a_bound_has_no_word_in_its_line():
    html = packing.unpacked(judged(line("G11", "number", "", "", numbers=(claim_number()._replace(required=""),))))

    assert "verdict " not in html.split('<tr id="claim-G11"')[1].split("</tr>")[0]
    assert text(macro("macros.html", "outcome")(line("G11", "number", "", ""))) == "a number without a bound"


def test_the_page_uses_no_word_of_the_house():
    loader = _environment().loader
    texts = {name: loader.get_source(_environment(), name)[0] for name in loader.list_templates() if ".html" in name}

    found = {name: re.findall(r"settl\w+|mended|stuck|second look", words) for name, words in texts.items()}
    assert len(texts) > 5 and not any(found.values()), found

"""The words behind a claim's sentence, wherever it is printed."""

import pytest

from touchstone.commands._verdicts import verdict_text
from touchstone.report.answers import Answer, Verdict, outcome, worth

LINE = {"kind": "claim", "status": "holds", "attacker": "broken", "holm": "stands", "checks": ""}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({}, "holds; attacker who knows: broken"),
        ({"holm": "does not stand"}, "holds (not under Holm); attacker who knows: broken"),
        ({"checks": "failed", "attacker": ""}, "holds (⚠ failed check)"),
        ({"holm": "does not stand", "checks": "failed", "attacker": ""}, "holds (not under Holm, ⚠ failed check)"),
        ({"kind": "counter", "checks": "failed"}, "counter-claim holds (⚠ failed check)"),
        ({"status": "", "attacker": "", "checks": "failed"}, ""),
    ],
)
def test_a_verdict_carries_what_weakens_it(changed, words):
    assert outcome(LINE | changed) == words


def test_a_table_of_an_earlier_version_says_nothing_of_checks():
    line = {name: text for name, text in LINE.items() if name != "checks"}

    assert outcome(line) == "holds; attacker who knows: broken"


def test_the_terminal_has_the_same_marks():
    assert verdict_text(LINE | {"holm": "does not stand"}) == "**holds** (not under Holm); attacker who knows: broken"


HOLDS, OPEN, FAILS = (Verdict("claim", status, "does not apply", True) for status in ("holds", "inconclusive", "fails"))
OURS = Verdict("claim", "inconclusive", "does not apply", False)
NUMBER = Verdict("number", "", "", False)


def against(status):
    return Verdict("counter", status, "", False)


@pytest.mark.parametrize(
    ("verdicts", "words"),
    [
        ([HOLDS], "The promise holds here"),
        ([FAILS], "The promise fails here"),
        ([OPEN], "The promise stays open"),
        ([HOLDS, OPEN, HOLDS], "Of three promises two hold here and one stays open"),
        ([HOLDS, HOLDS], "Both promises hold here"),
        ([OPEN, OPEN, OPEN], "All promises stay open"),
        ([HOLDS, OURS, NUMBER], "The promise holds here"),
        ([OURS], "The promise stays open"),
        ([HOLDS, against("holds")], "The promise holds here; a stronger attacker than the paper's breaks the method"),
        (
            [HOLDS._replace(attacker="broken")],
            "The promise holds here; a stronger attacker than the paper's breaks the method",
        ),
        (
            [HOLDS, against("inconclusive")],
            "The promise holds here; whether a stronger attacker than the paper's breaks the method is undecided",
        ),
        ([HOLDS, against("fails")], "The promise holds here"),
        (
            [HOLDS._replace(attacker="upper bound only")],
            "The promise holds here, under all our attacks; a stronger one may break the method",
        ),
        ([OPEN._replace(attacker="upper bound only")], "The promise stays open"),
        ([HOLDS._replace(attacker="survives")], "The promise holds here, also under attackers who know it"),
        ([FAILS, against("holds")], "The promise fails here"),
        ([NUMBER, against("holds")], ""),
    ],
)
def test_an_idea_is_worth_what_its_promises_and_the_attackers_leave(verdicts, words):
    assert worth(verdicts) == words


def test_a_heading_has_no_sentence_if_no_promise_has_a_verdict():
    assert Answer("Nine lives", [LINE]).heading == (
        "Nine lives. The promise holds here; a stronger attacker than the paper's breaks the method."
    )
    assert Answer("Nine lives", [LINE | {"kind": "counter"}]).heading == "Nine lives"

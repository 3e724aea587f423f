"""The words behind a claim's sentence, wherever it is printed."""

import pytest

from touchstone.commands._verdicts import verdict_text
from touchstone.report.answers import outcome

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

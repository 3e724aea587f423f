"""What the page says beside the numbers of a claim."""

from dataclasses import replace

import pytest
from hand_made_claims import asks, networks, verdicts
from hand_made_claims import book as hand_made

from touchstone.evaluations.statistics.sanity_checks import Doubts
from touchstone.report.claim_files import claim_rows
from touchstone.report.claim_table import page_lines


def when(*changes):
    """Return when a criterion was fixed, as the page says it; each change is its date and whether an outcome was known."""
    revised = [{"date": date, "was": "w", "why": "y", "known": known} for date, known in changes]
    block = asks(at_least=0.8) | {"revised": revised}
    judged = list(verdicts(networks(0.9), S9_1=block).values())
    ((line,), _) = page_lines(hand_made(S9_1=block), judged, claim_rows(judged, 20), Doubts(()))
    return line.when


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ((), "fixed before any run"),
        ([("2026-11-22", False)], "changed on 2026-11-22, before an outcome was known"),
        (
            [("2026-11-25", True), ("2026-11-21", True), ("2026-11-23", True)],
            "changed on 2026-11-21, 2026-11-23 and 2026-11-25, after an outcome was known",
        ),
        (
            [("2026-11-25", True), ("2026-11-22", False)],
            "changed on 2026-11-25, after an outcome was known; also on 2026-11-22, before one was known",
        ),
        (
            [("2026-11-22", True), ("2026-11-25", False)],
            "changed on 2026-11-22, after an outcome was known; also on 2026-11-25, before one was known",
        ),
        ([("2026-11-25", True), ("2026-11-25", True)], "changed on 2026-11-25, after an outcome was known"),
    ],
)
def test_a_claim_says_of_each_change_when_it_was_and_whether_an_outcome_was_known(changes, words):
    assert when(*changes) == words


def test_a_sentence_on_the_page_keeps_its_full_stop_with_its_last_number():
    block = asks(at_least=0.8) | {"says": "The network is right on {0}"}
    judged = list(verdicts(networks(0.9), S9_1=block).values())

    ((line,), _) = page_lines(hand_made(S9_1=block), judged, claim_rows(judged, 20), Doubts(()))

    assert line.answer.startswith('The network is right on <span class="kept"><button') and line.answer.endswith(
        ".</span>"
    )
    assert line.says == "The network is right on 90.0 % [88.0, 92.0]".replace(" %", "\u202f%")


def line_of(verdict, block):
    ((line,), _) = page_lines(hand_made(S9_1=block), [verdict], claim_rows([verdict], 20), Doubts(()))
    return line


def test_a_bound_whose_outcome_an_earlier_run_had_shown_is_not_said_to_be_older_than_every_run():
    origin = {"bound": {"from": "half", "source": "of 99%, s.1", "known": True}}
    block = asks(at_least=0.8) | origin | {"scales": ["P9-1"]}
    (verdict,) = verdicts(networks(0.9), S9_1=block).values()

    line = line_of(verdict, block)

    assert line.when == "fixed before the run that judges it, when the outcome of an earlier run was known"
    assert line.origin.endswith("the outcome was known when it was fixed")


def test_a_verdict_that_does_not_stand_under_holm_has_its_p_value_and_the_limit():
    block = asks(at_least=0.8)
    (verdict,) = verdicts(networks(0.9), S9_1=block).values()
    weak = replace(verdict, holm=False, p_value=0.0214, p_limit=0.00227)

    assert line_of(weak, block).p_values == "its p-value is 0.021, Holm's limit for it 0.0023"
    assert "smaller p-value already missed" in line_of(replace(weak, p_value=0.001), block).p_values
    assert line_of(verdict, block).p_values == ""

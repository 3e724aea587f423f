"""The table of claims in claims.csv, in metrics.csv.gz and on the page."""

import csv
import json
import math
from dataclasses import replace
from types import SimpleNamespace

import pytest
from hand_made_claims import ASKED, asks, book, mean, networks, row

from touchstone.claims.judging import StudyClaims, judge
from touchstone.claims.verdicts import sentence
from touchstone.evaluations.statistics.sanity_checks import Doubts
from touchstone.report.claim_files import COLUMNS, claim_rows, claims_csv, claims_json
from touchstone.report.claim_table import page_lines

ATTACK = {"tests": [{"name": "SR", "metric": "evasion_rate", "above": 0.5}]}
BLOCKS = {
    "S9_1": asks(at_least=0.8) | {"scales": ["P9-1"], "broken_by": ["S9-3"]}, "S9_2": asks(),
    "S9_3": ATTACK | {"kind": "counter"},
}  # fmt: skip
ASKED_HERE = {"S9-1": ASKED, "S9-2": "Not here & now.", "S9-3": ASKED}


def told(method="t"):
    """Return a book and its verdicts: one holds but is broken, one was not run, and the attack."""
    made = book(**BLOCKS)
    each = [
        row(value, files=(f"net.{seed}",), line=7 + seed, seed=seed, images=400, image_variance=1e-4)
        for seed, value in enumerate((0.9, 0.91, 0.92))
    ]
    of_mean = {"method": method, "images": 400, "image_variance": 1e-4, "seed_variance": 0.0, "residual_variance": 0.0}
    rows = [
        *each,
        mean(0.91, 0.88, 0.94, files=("net.0", "net.1", "net.2"), line=10, **of_mean),
        mean(0.7, metric="evasion_rate", files=("attack",), line=11),
    ]
    return made, judge(made, StudyClaims({"main": "robustness"}, ASKED_HERE), rows)


def lines_of(made, verdicts):
    lines = csv.DictReader(claims_csv(made, verdicts).decode().splitlines())
    return {line["claim"]: line for line in lines}


def test_the_columns_have_a_word_per_axis_and_how_the_interval_was_made():
    assert {"status", "attacker", "holm", "method"} <= set(COLUMNS)
    assert COLUMNS[-1] == "note"


def test_the_table_tells_value_interval_method_and_seeds():
    line = lines_of(*told())["S9-1"]

    assert (line["measured"], line["low"], line["high"], line["method"]) == ("0.91", "0.88", "0.94", "t")
    assert (line["n"], line["seeds"]) == ("500", "0 1 2")
    assert line["published"] == "P9-1: 99% (s.1; read in published text)"
    assert (line["bound"], line["source"], line["known"]) == ("ours", "enough for a test", "no")


def test_the_numbers_that_judged_are_those_of_criteria_that_were_run():
    made, verdicts = told()

    numbers = json.loads(claims_json(verdicts))

    assert numbers == {"S9-1": 0.91, "S9-3": 0.7}
    assert {name for name, line in lines_of(made, verdicts).items() if line["measured"]} == numbers.keys()


def test_a_study_without_claims_has_no_judged_numbers():
    assert claims_json([]) == b"{}\n"


def test_the_table_tells_both_words_and_whether_the_decision_stands():
    lines = lines_of(*told())

    assert [(lines[name]["status"], lines[name]["attacker"], lines[name]["holm"]) for name in lines] == [
        ("holds", "broken", "stands"),
        ("not run", "", ""),
        ("holds", "does not apply", ""),
    ]
    assert [lines[name]["kind"] for name in lines] == ["claim", "number", "counter"]


def test_a_decision_that_does_not_stand_says_so_and_one_without_a_p_value_says_nothing():
    made, found = told()

    assert lines_of(made, [replace(each, holm=False) for each in found])["S9-1"]["holm"] == "does not stand"
    assert lines_of(*told("range"))["S9-1"]["holm"] == ""


def test_a_claim_whose_attack_failed_a_check_says_so():
    made, found = told()
    doubts = SimpleNamespace(about=lambda row: "too weak" if row.metric.startswith("evasion") else "")

    lines = {line["claim"]: line for line in csv.DictReader(claims_csv(made, found, doubts).decode().splitlines())}

    assert [line["checks"] for line in lines.values()] == ["", "", "failed"]


def test_a_claim_that_is_not_run_has_its_reason_and_no_number():
    line = lines_of(*told())["S9-2"]

    assert (line["note"], line["measured"], line["method"], line["says"]) == ("Not here & now.", "", "", "")


def test_a_claims_note_names_its_attack_and_its_sentence_its_numbers():
    line = lines_of(*told())["S9-1"]

    assert line["note"] == "broken by S9-3: SR 70.0 % [68.0, 72.0], asked > 50 %"
    assert line["says"] == "s: accuracy 91.0 % [88.0, 94.0]"


def test_a_number_without_a_bound_has_no_word_and_no_source():
    made = book(S9_1=asks())
    found = judge(made, StudyClaims({"main": "robustness"}, {"S9-1": ASKED}), networks(0.9))

    line = lines_of(made, found)["S9-1"]

    assert [line[name] for name in ("kind", "status", "attacker", "bound", "source", "known")] == ["number"] + [""] * 5
    assert line["measured"] == "0.9"


def test_a_bound_whose_outcome_was_known_says_so():
    origin = {"from": "half", "source": "of 99%, s.1", "known": True}
    block = asks(at_least=0.8) | {"bound": origin, "scales": ["P9-1"]}
    made = book(S9_1=block)
    found = judge(made, StudyClaims({"main": "robustness"}, {"S9-1": ASKED}), networks(0.9))

    ((shown,), _) = page_lines(made, found, claim_rows(found, 20), Doubts(()))

    assert lines_of(made, found)["S9-1"]["known"] == "yes"
    assert shown.origin == "half of a figure of the paper: of 99%, s.1; the outcome was known when it was fixed"
    assert (shown.known, shown.published) == (True, ("s: 99% (s.1; read in published text)",))


@pytest.mark.parametrize(("known", "word"), [(True, "yes"), (False, "no")])
def test_a_bound_that_was_changed_after_an_outcome_was_known_counts_on_the_page_and_in_the_table(known, word):
    change = {"date": "2026-11-21", "was": "at least .9", "why": "too little", "known": known}
    made = book(S9_1=asks(at_least=0.8) | {"revised": [change]})
    found = judge(made, StudyClaims({"main": "robustness"}, {"S9-1": ASKED}), networks(0.9))

    ((shown,), _) = page_lines(made, found, claim_rows(found, 20), Doubts(()))

    assert (shown.known, lines_of(made, found)["S9-1"]["known"]) == (known, word)


def test_an_open_claim_says_in_its_note_what_leaves_it_open():
    made = book(S9_1=asks(at_least=0.9))
    found = judge(made, StudyClaims({"main": "robustness"}, {"S9-1": ASKED}), networks(0.9))

    assert lines_of(made, found)["S9-1"]["note"] == "the interval of accuracy lies on both sides of the bound (≥ 90 %)"


def test_each_number_is_a_row_of_the_metrics_that_names_the_lines_it_is_of():
    _, found = told()

    first, second = claim_rows(found, 20)

    assert (first.line, first.of, first.evaluation, first.entry) == (20, (10, 7, 8, 9), "claims", "S9-1")
    assert (first.value, first.low, first.high, first.method) == (0.91, 0.88, 0.94, "t")
    assert (first.metric, first.examples, first.seed, first.seeds) == ("accuracy", "cnn on test", None, (0, 1, 2))
    assert (second.line, second.of, second.entry, second.metric) == (21, (11,), "S9-3", "SR")


def test_a_number_that_has_to_be_equal_has_no_method_and_its_seeds_as_ends():
    made = book(S9_1=asks(equals=0.9))
    rows = [row(value, seed=seed, line=seed) for seed, value in enumerate((0.9, 0.91))] + [mean(0.905, line=2)]
    found = judge(made, StudyClaims({"main": "robustness"}, {"S9-1": ASKED}), rows)

    (made_row,) = claim_rows(found, 20)

    assert (made_row.low, made_row.high, made_row.method) == (0.9, 0.91, "none")
    assert lines_of(made, found)["S9-1"]["method"] == "none"


def test_the_page_shows_what_was_judged_first():
    made, found = told()

    judged, others = page_lines(made, found, claim_rows(found, 20), Doubts(()))

    assert [line.claim for line in judged] == ["S9-1", "S9-3"]
    assert [line.claim for line in others] == ["S9-2"]
    (part,) = judged[0].numbers
    assert (part.name, part.number.line, part.required) == ("accuracy", 20, "≥ 80\u202f%")
    assert (part.low, part.high, part.band) == (0.88, 0.94, (0.8, math.inf))
    assert judged[0].why == "The whole interval is ≥ 80\u202f%."
    assert [(line.word, line.attacker, line.holm) for line in (*judged, *others)] == [
        ("holds", "broken", True),
        ("holds", "does not apply", None),
        ("not run", "", None),
    ]


def test_a_number_of_a_claim_says_how_it_came_about_and_that_an_attack_behind_it_failed_a_check():
    made = book(S9_1=asks(metric="robust_accuracy", examples="{examples}/pgd"))
    of = {"entry": "cnn", "examples": "test/pgd", "threat": "white-box linf eps=0.1 (pgd)"}
    seeds = [row(value, metric="robust_accuracy", seed=seed, **of) for seed, value in enumerate((0.5, 0.6))]
    seeds.append(mean(0.55, metric="robust_accuracy", seeds=(0, 1), **of))
    checks = [row(0.015, metric="worse_than_noise", unit="difference of fractions", **of, evaluation="checks")]
    checks.append(row(0, metric="worse_than_noise_passed", unit="passed", **of, evaluation="checks"))
    found = judge(made, StudyClaims({"main": "robustness"}, {"S9-1": ASKED}), seeds)

    ((line,), _) = page_lines(made, found, claim_rows(found, 20), Doubts([*seeds, *checks]))

    assert line.numbers[0].how == "mean of 2 seeds; its 95 % interval in brackets; n = 500"
    assert (
        line.numbers[0].number.doubt
        == "leaves more than random noise does, by +1.5 points (asked ≤ 0.5 points, n = 500)"
    )


@pytest.mark.parametrize(
    ("bound", "word", "why"),
    [
        ({"at_least": 0.95}, "fails", "No part of the interval is ≥ 95\u202f%."),
        ({"at_most": 0.95}, "holds", "The whole interval is ≤ 95\u202f%."),
        ({"at_least": 0.8}, "inconclusive", "The number cannot decide by itself: its attack met no gradient on 50%"),
    ],
)
def test_a_stuck_attack_is_the_reason_of_a_verdict_only_where_it_leaves_the_number_open(bound, word, why):
    made = book(S9_1=asks(**bound, stuck={"metric": "no_gradient", "at_most": 0.05}))
    rows = [*networks(0.9), *networks(0.5, metric="no_gradient")]
    judged = judge(made, StudyClaims({"main": "robustness"}, {"S9-1": ASKED}), rows)

    ((line,), _) = page_lines(made, judged, claim_rows(judged, 20), Doubts(()))

    assert (line.word, line.why[: len(why)]) == (word, why)


def test_the_brackets_of_a_number_that_is_no_estimate_are_not_called_an_interval():
    made, judged = told("range")

    ((line, _), _) = page_lines(made, judged, claim_rows(judged, 20), Doubts(()))

    assert line.numbers[0].how == "mean of 3 seeds; least and greatest seed in brackets; n = 500"


def test_no_rounding_moves_an_end_over_the_bound_beside_it():
    made = book(S9_1=asks(at_least=0.9))
    rows = networks(0.92, 0.8996, 0.94)
    judged = judge(made, StudyClaims({"main": "robustness"}, {"S9-1": ASKED}), rows)

    ((line,), _) = page_lines(made, judged, claim_rows(judged, 20), Doubts(()))

    assert (line.word, line.numbers[0].number.interval) == ("inconclusive", "[89.96, 94.00]")
    assert sentence(judged[0].parts[0]) == "accuracy 92.00\u202f% [89.96, 94.00], asked ≥ 90\u202f%"

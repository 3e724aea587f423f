"""Which numbers a stuck attack qualifies, and how the note counts them."""

import csv

import pytest
from hand_made_claims import ASKED, ROLES, asks, book, networks, one, role, row

from touchstone.evaluations.statistics.wording import plain
from touchstone.report.claim_files import claims_csv

STUCK = {"metric": "no_gradient", "at_most": 0.05}
TWO = {"S9-1": ASKED | {"net": ["cnn", "mlp"]}}


@pytest.mark.parametrize("nets", [["cnn", "mlp"], ["mlp", "cnn"]])
def test_a_stuck_attack_on_one_network_leaves_the_numbers_of_the_others(nets):
    block = asks(at_least=0.8, stuck=STUCK) | role(net="each classifiers")
    rows = [*networks(0.9), *networks(0.9, entry="mlp")]
    rows += [*networks(0.01, metric="no_gradient"), *networks(0.4, metric="no_gradient", entry="mlp")]

    verdict = one(rows, block, claims={"S9-1": ASKED | {"net": nets}})

    parts = {part.quantity.which: (part.word, part.stuck is not None) for part in verdict.parts}
    assert parts == {"cnn": ("confirmed", False), "mlp": ("inconclusive", True)}


def test_of_entries_in_pairs_a_stuck_attack_counts_for_its_own_pair():
    block = asks(at_least=0.8, entry="{net}+{score}", stuck=STUCK | {"metric": "no_gradient"})
    roles = ROLES | {"net": "each classifiers", "score": "each detectors"}
    pairs = ("cnn+msp", "mlp+odin")
    rows = [line for pair in pairs for line in networks(0.9, entry=pair)]
    rows += [
        *networks(0.01, metric="no_gradient", entry=pairs[0]),
        *networks(0.4, metric="no_gradient", entry=pairs[1]),
    ]

    claims = {"S9-1": TWO["S9-1"] | {"score": ["msp", "odin"]}}
    verdict = one(rows, block | {"roles": roles, "together": ["net", "score"]}, claims=claims)

    assert {part.quantity.row.entry: part.word for part in verdict.parts} == {
        "cnn+msp": "confirmed", "mlp+odin": "inconclusive",
    }  # fmt: skip


ZERO = "of the attacked OOD images the score's own gradient is 0"
HIGH = {"at_least": 0.5, "stuck": STUCK, "certified": {"metric": "certified"}}


def note_in_csv(verdict, **blocks):
    (line,) = csv.DictReader(claims_csv(book(**blocks), [verdict]).decode().splitlines())
    return line["note"]


def test_the_only_number_that_rests_on_a_stuck_attack_is_named_and_says_what_is_wrong_with_it():
    tests = [{"name": "left", **HIGH}, {"name": "clean", "metric": "clean"}]
    rows = [*networks(0.9), *networks(0.9, metric="clean"), *networks(0.8, metric="no_gradient")]

    verdict = one(rows, {"tests": tests})

    assert [*map(plain, verdict.notes)] == [f"left: an upper bound: on 80% {ZERO}"]
    assert note_in_csv(verdict, S9_1={"tests": tests}).count("on 80%") == 1


def test_numbers_that_bounds_prove_are_named_apart_from_one_that_rests_on_a_stuck_attack():
    tests = [{"name": "proved", **HIGH}, {"name": "left", "entry": "{other}", **HIGH}]
    roles = {"roles": ROLES | {"other": "classifiers"}}
    rows = [line for entry in ("cnn", "mlp") for line in networks(0.9, entry=entry)]
    rows += [line for entry in ("cnn", "mlp") for line in networks(0.8, metric="no_gradient", entry=entry)]
    rows += networks(0.6, metric="certified")

    verdict = one(rows, {"tests": tests} | roles, claims={"S9-1": ASKED | {"other": "mlp"}})

    assert [*map(plain, verdict.notes)] == [
        f"left: an upper bound: on 80% {ZERO}",
        "proved by bounds on the networks, whatever the attack: proved at least 60.0 % [58.0, 62.0]",
    ]
    note = note_in_csv(verdict, S9_1={"tests": tests} | roles)
    assert note.count("on 80%") == 1 and note.count("proved at least") == 1


def test_a_note_is_in_the_table_once_if_the_reason_has_several():
    rows = [row(0.1), row(0.8, metric="no_gradient")]

    note = note_in_csv(one(rows, {"tests": [{"name": "left", **HIGH}]}), S9_1={"tests": [{"name": "left", **HIGH}]})

    assert note == f"left: 1 seed; an upper bound: on 80% {ZERO}"

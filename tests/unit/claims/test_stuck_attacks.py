"""Which numbers a stuck attack qualifies, and how the note counts them."""

import csv

import pytest
from hand_made_claims import ASKED, ROLES, asks, book, networks, one, role, row

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
    assert parts == {"cnn": ("holds", False), "mlp": ("inconclusive", True)}


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
        "cnn+msp": "holds", "mlp+odin": "inconclusive",
    }  # fmt: skip


@pytest.mark.parametrize("metric", ["1 - robust_accuracy", "evasion_rate_at_0.05"])
@pytest.mark.parametrize(
    ("asked", "value", "word"),
    [
        ({"at_most": 0.35}, 0.1, "inconclusive"),  # a better attack may raise it
        ({"at_least": 0.35}, 0.1, "inconclusive"),
        ({"at_most": 0.35}, 0.9, "fails"),
        ({"at_least": 0.35}, 0.9, "holds"),
    ],
)
def test_an_error_under_a_stuck_attack_is_a_lower_bound(metric, asked, value, word):
    measured = 1 - value if metric.startswith("1 - ") else value
    rows = [*networks(measured, metric=metric.removeprefix("1 - ")), *networks(0.8, metric="no_gradient")]

    assert one(rows, asks(metric=metric, stuck=STUCK, **asked)).word == word


def note_in_csv(verdict, **blocks):
    (line,) = csv.DictReader(claims_csv(book(**blocks), [verdict]).decode().splitlines())
    return line["note"]


def test_the_only_number_that_rests_on_a_stuck_attack_is_named_and_noted_once():
    tests = [{"name": "left", "at_least": 0.5, "stuck": STUCK}, {"name": "clean", "metric": "clean"}]
    rows = [*networks(0.9), *networks(0.9, metric="clean"), *networks(0.8, metric="no_gradient")]

    verdict = one(rows, {"tests": tests})

    assert verdict.notes == ("left: its attack met no gradient on 80% of the images",)
    assert note_in_csv(verdict, S9_1={"tests": tests}).count("80%") == 1


def test_a_note_is_in_the_table_once_if_the_reason_has_several():
    rows, tests = [row(0.1), row(0.8, metric="no_gradient")], [{"name": "left", "at_least": 0.5, "stuck": STUCK}]

    note = note_in_csv(one(rows, {"tests": tests}), S9_1={"tests": tests})

    assert note == "left: 1 seed; its attack met no gradient on 80% of the images"

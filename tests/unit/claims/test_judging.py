"""Axis 2: what attackers who know the defence make of a claim, beside and never instead of whether it holds."""

import pytest
from hand_made_claims import ASKED, SETS, asks, book, networks, one, role, row, verdicts

from touchstone.claims.judging import StudyClaims, judge
from touchstone.claims.sentences import said
from touchstone.claims.verdicts import required
from touchstone.evaluations.statistics.sanity_checks import Doubts
from touchstone.report.claim_files import claim_rows, claims_tex
from touchstone.report.claim_table import page_lines

GUARDED = asks(at_least=0.8) | {"broken_by": ["S9-2"], "scales": ["P9-1"]}
ATTACK = {
    "tests": [{"name": "SR", "metric": "evasion_rate", "at_least": 0}], "broken_by": ["S9-2"], "kind": "counter",
    "breaks": {"name": "SR", "metric": "evasion_rate", "above": 0.5, "consequence": "not robust"},
}  # fmt: skip
STUCK = {"metric": "no_gradient", "at_most": 0.05}


def attacked(rate, **more):
    return networks(rate, metric="evasion_rate", **more)


def words(verdict):
    return verdict.word, verdict.attacker


# --- adaptive attacks ---------------------------------------------------------------------------------------------


def test_a_claim_that_an_attack_breaks_still_holds_and_is_broken():
    found = verdicts([*networks(0.9), *attacked(0.7)], S9_1=GUARDED, S9_2=ATTACK)

    assert words(found["S9-1"]) == ("holds", "broken")
    assert words(found["S9-2"]) == ("holds", "broken")
    assert found["S9-1"].notes == ("broken by S9-2: SR 70.0\u202f% [68.0, 72.0], broken if > 50\u202f%, so not robust",)


@pytest.mark.parametrize(
    ("rate", "attacker", "note"),
    [(0.3, "upper bound only", ()), (0.51, "upper bound only", ("S9-2 leaves open whether it is broken: SR 51.0",))],
)
@pytest.mark.parametrize(("value", "word"), [(0.9, "holds"), (0.8, "inconclusive"), (0.5, "fails")])
def test_the_word_for_an_attacker_does_not_depend_on_whether_a_claim_holds(value, word, rate, attacker, note):
    verdict = verdicts([*networks(value), *attacked(rate)], S9_1=GUARDED, S9_2=ATTACK)["S9-1"]

    assert words(verdict) == (word, attacker)
    assert tuple(each[: len(start)] for each, start in zip(verdict.notes, note, strict=True)) == note


def test_a_number_that_a_test_reports_is_shown_once_more_with_the_bound_that_breaks_the_claim():
    says = ATTACK | {"says": "the attack succeeds on {0}; {breaks}"}

    verdict = verdicts([*networks(0.9), *attacked(0.7)], S9_1=GUARDED, S9_2=says)["S9-2"]

    assert [(part.quantity.value, required(part)) for part in verdict.parts] == [
        (0.7, "≥ 0\u202f%"), (0.7, "broken if > 50\u202f%"),
    ]  # fmt: skip
    assert "not measured" not in said(verdict)


def test_an_attack_on_fewer_than_three_networks_breaks_nothing_and_clears_nothing():
    for rate in (0.7, 0.1):
        found = verdicts([*networks(0.9), *attacked(rate, seeds=(0, 1))], S9_1=GUARDED, S9_2=ATTACK)

        assert words(found["S9-1"]) == ("holds", "upper bound only")
        assert any(note.endswith("but that is 2 seeds, and a verdict needs 3") for note in found["S9-1"].notes)


def test_an_attack_on_another_network_is_none_on_this_one():
    claims = {"S9-1": ASKED, "S9-2": ASKED | {"net": "mlp"}}

    found = verdicts([*networks(0.9), *attacked(0.7, entry="mlp")], claims, S9_1=GUARDED, S9_2=ATTACK)

    assert (words(found["S9-1"]), words(found["S9-2"])) == (("holds", "not attacked"), ("holds", "broken"))


def test_without_its_adaptive_attack_a_claim_holds_and_is_said_not_to_be_attacked():
    found = verdicts(networks(0.9), {"S9-1": ASKED}, S9_1=GUARDED, S9_2=ATTACK)

    assert words(found["S9-1"]) == ("holds", "not attacked")
    assert found["S9-1"].notes == ("no adaptive attack on it: S9-2 not run",)


def test_of_several_attacks_one_that_breaks_it_is_enough():
    block = GUARDED | {"broken_by": ["S9-2", "S9-3"]}
    other = {"tests": [{"name": "fall", "metric": "fall", "at_least": 0.4}]}
    weak, strong = networks(0.1, metric="fall"), networks(0.6, metric="fall")

    for falls, attacker in ((weak, "upper bound only"), (strong, "broken")):
        rows = [*networks(0.9), *attacked(0.3), *falls]
        assert verdicts(rows, S9_1=block, S9_2=ATTACK, S9_3=other)["S9-1"].attacker == attacker


@pytest.mark.parametrize(
    ("rates", "attacker", "named"),
    [
        ((0.1, 0.7), "broken", "SR: mlp 70.0"),
        ((0.8, 0.7), "broken", "SR: cnn 80.0"),
        ((0.1, 0.51), "upper bound only", "SR: mlp 51.0"),
        ((0.49, 0.5), "upper bound only", "SR: mlp 50.0"),  # exactly at the bound
        ((0.7, 0.51), "broken", "SR: cnn 70.0"),
        ((0.1, 0.2), "upper bound only", ""),
    ],
)
def test_of_several_networks_one_that_an_attack_breaks_is_enough(rates, attacker, named):
    each = role(net="each classifiers")
    who = ASKED | {"net": ["cnn", "mlp"]}
    rows = [*networks(0.9), *networks(0.9, entry="mlp"), *attacked(rates[0]), *attacked(rates[1], entry="mlp")]

    found = verdicts(rows, {"S9-1": who, "S9-2": who}, S9_1=GUARDED | each, S9_2=ATTACK | each)

    assert words(found["S9-1"]) == ("holds", attacker)
    assert named in "".join(found["S9-1"].notes)


@pytest.mark.parametrize("nets", [["cnn", "mlp"], ["mlp", "cnn"]])
@pytest.mark.parametrize(
    ("rate", "attacker", "note"), [(0.7, "broken", "SR: cnn 70.0"), (0.1, "upper bound only", "of mlp on")]
)
def test_an_attack_that_spared_one_of_several_networks_says_which(nets, rate, attacker, note):
    each, who = role(net="each classifiers"), ASKED | {"net": nets}
    every = [*networks(0.9), *networks(0.9, entry="mlp")]
    reported = ATTACK | {"tests": [{"name": "accuracy", "at_least": 0}]}

    judged = verdicts([*every, *attacked(rate)], {"S9-1": who, "S9-2": who}, S9_1=GUARDED | each, S9_2=reported | each)

    assert words(judged["S9-1"]) == ("holds", attacker)
    assert note in "".join(judged["S9-1"].notes)


def test_an_attack_without_a_condition_of_its_own_breaks_where_its_tests_are_met():
    fall = {"tests": [{"name": "fall", "metric": "fall", "at_least": 0.4}]}

    found = verdicts([*networks(0.9), *networks(0.6, metric="fall")], S9_1=GUARDED, S9_2=fall)

    assert (words(found["S9-1"]), words(found["S9-2"])) == (("holds", "broken"), ("holds", "does not apply"))


def test_a_claim_that_was_not_run_says_nothing_about_attackers():
    found = verdicts(attacked(0.7), S9_1=GUARDED, S9_2=ATTACK)

    assert words(found["S9-1"]) == ("not run", "")


def test_a_claim_that_is_about_no_attacker_says_so():
    assert words(one(networks(0.9), asks(at_least=0.8))) == ("holds", "does not apply")


@pytest.mark.parametrize(("left", "attacker"), [(0.1, "broken"), (0.5, "upper bound only")])
def test_the_number_that_says_whether_a_claim_is_broken_is_a_row_of_its_own(left, attacker):
    attack = ATTACK | {"breaks": {"name": "accuracy left", "metric": "left", "below": 0.2, "consequence": "not robust"}}
    made = book(S9_2=attack)
    rows = [*attacked(0.3), *networks(left, metric="left", line=3)]
    found = judge(made, StudyClaims({"main": "robustness"}, {"S9-2": ASKED}), rows)

    first, second = claim_rows(found, 20)
    ((shown,), _) = page_lines(made, found, [first, second], Doubts(()))

    assert (shown.word, shown.attacker) == ("holds", attacker)
    assert ("so not robust" in shown.note) == (attacker == "broken")
    assert (first.metric, second.metric, second.value, set(second.of)) == ("SR", "accuracy left", left, {3})
    assert [(part.name, part.required) for part in shown.numbers] == [
        ("SR", "≥ 0\u202f%"),
        ("accuracy left", "broken if < 20\u202f%"),
    ]


# --- attacks that met no gradient ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "value", "word", "attacker"),
    [
        ({"at_most": 0.35}, 0.9, "inconclusive", "does not apply"),  # the truth may be lower
        ({"at_least": 0.35}, 0.9, "inconclusive", "does not apply"),
        ({"at_most": 0.35}, 0.1, "holds", "does not apply"),  # and lower is what was asked
        ({"at_least": 0.35}, 0.1, "fails", "does not apply"),  # certain: the truth can only be lower
    ],
)
def test_what_an_attack_leaves_that_was_stuck_is_an_upper_bound(asked, value, word, attacker):
    test = {"name": "auroc", **asked, "stuck": STUCK}
    shares = {share: networks(share, metric="no_gradient") for share in (0.04, 0.8)}

    free, stuck, unknown = (
        one([*networks(value), *more], {"tests": [test]}) for more in (shares[0.04], shares[0.8], [])
    )

    assert words(stuck) == (word, attacker)
    assert stuck.notes == ("its attack met no gradient on 80% of the images",)
    assert free.word == unknown.word == ("holds" if (value > 0.35) == ("at_least" in asked) else "fails")
    assert free.notes == unknown.notes == ()
    assert (stuck.parts[0].quantity.low, stuck.parts[0].quantity.high) == (value - 0.02, value + 0.02)


def test_on_few_networks_a_stuck_attack_is_told_beside_their_number():
    rows = [row(0.1), row(0.8, metric="no_gradient")]

    verdict = one(rows, asks(at_least=0.8, stuck=STUCK))

    assert verdict.word == "inconclusive"
    assert verdict.notes[0] == "1 seed"
    assert verdict.notes[1].endswith("on 80% of the images")


@pytest.mark.parametrize(
    ("shares", "word"), [((0.09, 0.01), "holds"), ((0.11, 0.01), "inconclusive"), ((0, 0.04), "holds")]
)
def test_over_several_sets_an_attack_was_stuck_if_it_was_on_their_mean(shares, word):
    block = asks(at_least=0.6, stuck=STUCK) | role(examples="mean examples")
    rows = networks(0.9, examples="mean_of_sets")
    for name, share in zip("ab", shares, strict=True):
        rows += [*networks(0.9, examples=name), *networks(share, metric="no_gradient", examples=name)]

    verdict = one(rows, block, claims=SETS)

    assert verdict.word == word
    assert bool(verdict.notes) == (word != "holds")


def test_of_several_networks_the_one_on_which_the_attack_was_stuck_most_counts():
    block = asks(at_least=0.8, stuck=STUCK) | role(net="each classifiers")
    rows = [*networks(0.9), *networks(0.9, entry="mlp")]
    rows += [*networks(0.01, metric="no_gradient"), *networks(0.4, metric="no_gradient", entry="mlp")]

    verdict = one(rows, block, claims={"S9-1": ASKED | {"net": ["cnn", "mlp"]}})

    assert verdict.word == "inconclusive" and "on 40% of" in verdict.notes[0]


SIDES = {"roles": {"net": "classifiers", "other": "classifiers", "examples": "examples"}}


@pytest.mark.parametrize(("own", "others", "share"), [(0.8, 0.01, "80%"), (0.01, 0.7, "70%"), (0.8, 0.7, "80%")])
@pytest.mark.parametrize(("value", "word"), [(0.9, "holds"), (0.1, "fails")])
def test_a_difference_is_judged_under_these_attacks_and_a_note_names_one_that_was_stuck(
    value, word, own, others, share
):
    block = asks(at_least=0.5, examples="{examples} less {other}", stuck=STUCK | {"examples": "{examples}"}) | SIDES
    rows = networks(value, examples="test less mlp", unit="difference")
    for entry, part in (("cnn", own), ("mlp", others)):
        rows += networks(part, metric="no_gradient", entry=entry)

    verdict = one(rows, block, claims={"S9-1": ASKED | {"other": "mlp"}})

    assert verdict.word == word
    assert verdict.notes == (f"its attack met no gradient on {share} of the images",)


def test_several_numbers_that_rest_on_stuck_attacks_share_a_note():
    stuck = {"at_least": 0.5, "stuck": STUCK}
    tests = [{"name": "one", **stuck}, {"name": "two", **stuck}, {"name": "three", "at_least": 0.5}]
    tests[1] |= {"entry": "{other}"}
    rows = [*networks(0.9), *networks(0.9, entry="mlp")]
    rows += [*networks(0.8, metric="no_gradient"), *networks(0.4, metric="no_gradient", entry="mlp")]

    verdict = one(rows, {"tests": tests} | SIDES, claims={"S9-1": ASKED | {"other": "mlp"}})

    assert verdict.notes == ("one and two: its attack met no gradient on 40% to 80% of the images",)


def test_no_table_shows_a_number_on_the_wrong_side_of_its_bound():
    rows = networks(0.9496, 0.949, 0.9499, line=3)
    made = book(S9_1=asks(at_least=0.95))
    found = judge(made, StudyClaims({"main": "robustness"}, {"S9-1": ASKED}), rows)

    ((shown,), _) = page_lines(made, found, claim_rows(found, 20), Doubts(()))

    assert (shown.word, shown.numbers[0].number.text) == ("fails", "94.96\u202f%")
    assert r"94.96\,\% [94.90, 94.99]" in claims_tex(made, found).decode()


@pytest.mark.parametrize("reason", ["detector knn of cnn.0 cannot be fitted: one class", "evaluation main needs knn"])
def test_a_claim_about_what_was_left_out_is_not_run_and_says_why(reason):
    asked, reasons = {"S9-1": ASKED | {"net": "knn"}}, ("detector x of a: b", reason)
    claims = StudyClaims({"main": "robustness"}, asked, left_out=reasons)

    (verdict,) = [each for each in judge(book(S9_1=asks(at_least=0.8)), claims, []) if each.claim.id == "S9-1"]

    assert verdict.word == "not run"
    assert verdict.notes[1:] == (reason,)

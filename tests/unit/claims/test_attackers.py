"""The word for an attacker who knows: an attack proves that a claim is broken, never the opposite."""

import pytest
from hand_made_claims import ASKED, ROLES, asks, networks, one, verdicts

KNOWS = "white-box adaptive to msp linf eps=0.1 steps=40 (score_pgd)"
ATTACKED = {"attack": "attacks"} | ROLES
CHOSEN = {"S9-1": ASKED | {"attack": "pgd", "other": "mlp"}}
LEVEL = {"roles": ATTACKED, **asks(metric="auroc_both", examples="{examples}/{attack}", at_least=0.5)}
GAIN = {
    "roles": ATTACKED | {"other": "classifiers"},
    **asks(metric="auroc_both_difference", examples="{examples}/{attack} less {other}", above=0),
}
DOUBLED = {"name": "twice the steps take", "metric": "taken", "at_most": 0.005}


def level(value, **more):
    return networks(value, metric="auroc_both", examples="test/pgd", unit="", **{"threat": KNOWS} | more)


def gain(value, threat=KNOWS):
    place = {"metric": "auroc_both_difference", "examples": "test/pgd less mlp", "unit": "difference"}
    return networks(value, threat=threat, **place)


def words(rows, block):
    verdict = one(rows, block, claims=CHOSEN)
    return verdict.word, verdict.attacker


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (0.9, ("holds", "upper bound only")),
        (0.5, ("inconclusive", "upper bound only")),
        (0.1, ("fails", "broken")),
    ],
)
def test_what_an_attack_who_knows_leaves_is_an_upper_bound_unless_the_attack_breaks_it(value, found):
    assert words(level(value), LEVEL) == found


@pytest.mark.parametrize("value", [0.3, 0.01, -0.3])
@pytest.mark.parametrize("more", [{}, {"survives_if": [DOUBLED]}])
def test_a_difference_of_two_attacked_numbers_is_never_more_nor_less_than_an_upper_bound(value, more):
    rows = [*gain(value), *networks(0.0, metric="taken")]

    assert words(rows, GAIN | more)[1] == "upper bound only"


def test_a_difference_of_two_ranks_of_the_same_margins_is_about_no_attacker():
    assert words(gain(0.3, threat="white-box linf, least change found (fab)"), GAIN) == ("holds", "does not apply")


def test_a_number_under_an_attack_that_did_not_know_the_defence_is_not_attacked():
    assert words(level(0.9, threat="oblivious linf eps=0.1 (pgd)"), LEVEL) == ("holds", "not attacked")
    assert words(gain(0.3, threat="oblivious linf eps=0.1 (pgd)"), GAIN) == ("holds", "not attacked")


@pytest.mark.parametrize(
    ("metric", "asked", "attacker"),
    [
        ("robust_accuracy", {"at_least": 0.5}, "upper bound only"),
        ("1 - robust_accuracy", {"at_most": 0.5}, "upper bound only"),
        ("robust_accuracy_union", {"above": 0.5}, "upper bound only"),
        ("1 - robust_accuracy", {"at_least": 0.1}, "does not apply"),  # it says that the attack succeeds
        ("robust_accuracy", {"below": 0.9}, "does not apply"),
        ("mean_confidence_on_errors", {"at_least": 0.5}, "does not apply"),
        ("evasion_rate_at_0.05", {"at_most": 0.9}, "upper bound only"),
        ("worst_error", {"below": 0.9}, "upper bound only"),
        ("1 - share_wrong_unflagged", {"at_least": 0.1}, "upper bound only"),
        ("accuracy", {"at_least": 0.5}, "upper bound only"),  # of a router and its translators
        ("success_rate", {"at_least": 0.5}, "does not apply"),
        ("1 - evasion_rate_at_0.05", {"at_most": 0.5}, "does not apply"),
        ("1 - robust_accuracy", {"between": [0.1, 0.5]}, "does not apply"),
    ],
)
def test_only_what_has_to_stay_right_under_an_attack_is_about_an_attacker(metric, asked, attacker):
    rows = networks(0.7, metric=metric.removeprefix("1 - "), examples="test/pgd", threat="white-box linf eps=0.1 (pgd)")
    block = {"roles": ATTACKED, **asks(metric=metric, examples="{examples}/{attack}", **asked)}

    assert words(rows, block) == ("holds", attacker)


def test_an_error_that_an_attack_who_knows_raises_above_its_bound_breaks_the_claim_but_no_counter_claim():
    rows = networks(0.7, metric="evasion_rate_at_0.05", examples="test/worst", threat=KNOWS)
    block = asks(metric="evasion_rate_at_0.05", examples="{examples}/worst", at_most=0.1)

    assert words(rows, block) == ("fails", "broken")
    assert words(rows, block | {"kind": "counter"}) == ("fails", "does not apply")
    assert words(networks(0.9, metric="accuracy"), asks(metric="accuracy", at_least=0.95)) == (
        "fails",
        "does not apply",
    )


def test_neither_a_claim_about_images_as_they_come_nor_a_counter_claim_is_about_an_attacker():
    assert words(networks(0.9), asks(at_least=0.8)) == ("holds", "does not apply")
    assert words(level(0.9), LEVEL | {"kind": "counter"}) == ("holds", "does not apply")


def test_numbers_without_a_bound_have_no_word_at_all():
    assert words(level(0.9), LEVEL | asks(metric="auroc_both", examples="{examples}/{attack}")) == ("", "")


@pytest.mark.parametrize(
    ("taken", "attacker", "note"),
    [
        ({"value": 0.0, "low": -0.003, "high": 0.003}, "survives", []),
        ({"value": 0.003, "low": 0.0, "high": 0.006}, "upper bound only", ["not enough to survive: twice the steps"]),
        ({"value": 0.2, "low": 0.1, "high": 0.3}, "upper bound only", ["not enough to survive: twice the steps"]),
    ],
)
def test_a_claim_survives_only_if_the_whole_interval_of_every_condition_meets_its_bound(taken, attacker, note):
    rows = [*level(0.9), *networks(**taken, metric="taken")]

    verdict = one(rows, LEVEL | {"survives_if": [DOUBLED]}, claims=CHOSEN)

    assert (verdict.word, verdict.attacker) == ("holds", attacker)
    assert [text[: len(start)] for text, start in zip(verdict.notes, note, strict=True)] == note


def test_a_claim_does_not_survive_where_a_condition_was_not_measured_or_on_too_few_networks():
    block = LEVEL | {"survives_if": [DOUBLED]}

    missing = one(level(0.9), block, claims=CHOSEN)
    few = one([*level(0.9), *networks(0.0, -0.003, 0.003, metric="taken", seeds=(0, 1))], block, claims=CHOSEN)

    assert (missing.attacker, few.attacker) == ("upper bound only", "upper bound only")
    assert missing.notes == ("whether it survives needs taken of cnn on test",)


def test_a_broken_claim_survives_nothing():
    rows = [*level(0.1), *networks(0.0, -0.003, 0.003, metric="taken")]

    assert words(rows, LEVEL | {"survives_if": [DOUBLED]}) == ("fails", "broken")


GUARDED = asks(at_least=0.8) | {"broken_by": ["S9-2"]}
ATTACK = asks("SR", metric="evasion_rate", above=0.5) | {"kind": "counter"}


@pytest.mark.parametrize(
    ("rate", "taken", "attacker"),
    [
        (0.7, 0.0, "broken"),
        (0.51, 0.0, "upper bound only"),  # its interval contains the bound that would break it
        (0.1, 0.0, "survives"),
        (0.1, 0.2, "upper bound only"),
    ],
)
def test_after_the_attacks_of_other_criteria_the_same_conditions_decide(rate, taken, attacker):
    rows = [*networks(0.9), *networks(rate, metric="evasion_rate"), *networks(taken, taken, taken, metric="taken")]

    found = verdicts(rows, S9_1=GUARDED | {"survives_if": [DOUBLED]}, S9_2=ATTACK)

    assert (found["S9-1"].word, found["S9-1"].attacker) == ("holds", attacker)

"""Whether the attack behind a claim's own numbers broke it: a difference has to hold without the attack."""

import pytest
from hand_made_claims import ASKED, ROLES, asks, networks, one

STUCK = {"metric": "no_score_gradient", "examples": "{examples}/{attack}", "at_most": 0.05}
DIFFERENCE = {
    "roles": ROLES | {"other": "classifiers", "attack": "attacks"},
    "tests": [
        {
            "name": "gain",
            "metric": "auroc_both_difference",
            "examples": "{examples}/{attack} less {other}",
            "threat": {"eps": 0.1},
            "at_least": 0.1,
            "stuck": STUCK,
        }
    ],
}
CHOSEN = {"S9-1": ASKED | {"other": "mlp", "attack": "pgd"}}


def attacked(value, **more):
    place = {"examples": "test/pgd less mlp", "metric": "auroc_both_difference", "unit": "difference"}
    return networks(value, threat="white-box linf eps=0.1 steps=40 (pgd)", **place | more)


def clean(value, **more):
    return networks(value, examples="test less mlp", metric="auroc_clean_difference", unit="difference", **more)


@pytest.mark.parametrize(
    ("without", "attacker", "note"),
    [
        (0.3, "broken", "without an attack: gain +0.300 [+0.280, +0.320], asked ≥ +0.1"),
        (0.11, "undecided", "without an attack: gain +0.110 [+0.090, +0.130], asked ≥ +0.1"),
        (-0.3, "does not apply", "without an attack: gain -0.300 [-0.320, -0.280], asked ≥ +0.1"),
    ],
)
def test_an_attack_breaks_a_difference_only_if_it_holds_without_the_attack(without, attacker, note):
    verdict = one([*attacked(-0.2), *clean(without)], DIFFERENCE, claims=CHOSEN)

    assert (verdict.word, verdict.attacker) == ("not confirmed", attacker)
    assert verdict.notes == (note,)


def test_a_difference_is_not_called_broken_if_it_was_not_measured_without_the_attack():
    verdict = one(attacked(-0.2), DIFFERENCE, claims=CHOSEN)

    assert (verdict.word, verdict.attacker) == ("not confirmed", "does not apply")
    assert verdict.notes == ("gain was not measured without an attack",)


def test_an_attacked_number_is_never_its_own_number_without_the_attack():
    block = asks(at_least=0.5, examples="{examples} less pgd", stuck={"metric": "no_score_gradient", "at_most": 0.05})

    verdict = one(networks(-0.2, examples="test less pgd", unit="difference"), block)

    assert (verdict.word, verdict.attacker) == ("not confirmed", "does not apply")
    assert verdict.notes == ("accuracy was not measured without an attack",)


def test_of_several_networks_each_is_compared_with_itself():
    roles = {"roles": DIFFERENCE["roles"] | {"net": "each classifiers"}}
    rows = [*attacked(0.5), *attacked(-0.2, entry="big"), *clean(-0.3), *clean(0.3, entry="big")]
    nets = {"S9-1": CHOSEN["S9-1"] | {"net": ["cnn", "big"]}}

    assert one(rows, DIFFERENCE | roles, claims=nets).attacker == "broken"


def test_a_difference_that_holds_under_its_own_attack_survives_whatever_it_was_without():
    assert one([*attacked(0.5), *clean(-0.3)], DIFFERENCE, claims=CHOSEN).attacker == "survives"


def test_a_level_that_fails_under_its_own_attack_is_broken_whatever_a_failed_difference_says():
    level = {
        "name": "level",
        "metric": "auroc_both",
        "examples": "{examples}/{attack}",
        "at_least": 0.5,
        "stuck": STUCK,
    }
    rows = [*attacked(-0.2), *clean(-0.3), *networks(0.2, metric="auroc_both", examples="test/pgd")]

    assert one(rows, DIFFERENCE | {"tests": [*DIFFERENCE["tests"], level]}, claims=CHOSEN).attacker == "broken"

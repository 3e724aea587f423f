"""Which numbers a stuck attack qualifies, and how the note counts them."""

import pytest
from hand_made_claims import ASKED, ROLES, asks, networks, one, role

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

"""The claims of planted defences: those that hide something have to be broken, honest ones must not be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from known_truths import truths
from known_truths.world import DISTANCE, NEAR, SIGMA, rows

HIDDEN = ("saturated_rule", "quantised_rule", "one_hot_rule", "stopped_rule", "hot_rule", "random_rule")
ORIGIN = {"from": "ours", "source": "a chosen distance from the truth, which a formula gives"}
LEFT, MARGIN = truths.linear_accuracy(DISTANCE, SIGMA, NEAR), 0.1


def planted() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the claims of defences that hide something, of honest ones, and the criteria that attack them."""
    test, high, low = "blocks_test", round(LEFT + MARGIN, 2), round(LEFT - MARGIN, 2)
    for number, entry in enumerate(HIDDEN, 1):
        name = f"accuracy of {entry} under PGD"
        row = rows("robustness", "robust_accuracy", entry, f"{test}/near_pgd")
        attacks = [f"Ssuite-{number}", f"Stransfer-{number}"]
        yield f"Splanted-{number}", _resists(name, row, high, attacks)
        yield attacks[0], _attack(f"the suite on {entry}", row | {"examples": f"{test}/near_suite"}, "below", high)
        other = row | {"examples": f"{test}/linear_rule/near_pgd"}
        yield attacks[1], _attack(f"images made on linear_rule, shown to {entry}", other, "below", high)
    number = len(HIDDEN) + 1
    row = rows("routing", "accuracy", "opaque_rule", f"{test}/near_pgd")
    yield (
        f"Splanted-{number}",
        _resists("accuracy behind the opaque translator under PGD", row, high, [f"Ssuite-{number}"]),
    )
    worst = row | {"examples": f"{test}/worst"}
    yield f"Ssuite-{number}", _attack("the worst attack on the opaque translator", worst, "below", high)
    number += 1
    row = rows("evasion", "evasion_rate_at_0.05", "linear_rule+softmax_doubt", f"{test}/hasty")
    name = "images past rule and softmax under an attack that stops at once"
    yield f"Splanted-{number}", _resists(name, row, 0.19, [f"Ssuite-{number}"], "at_most")
    sure = row | {"examples": f"{test}/linear_rule+softmax_doubt@0.05/aware"}
    yield f"Ssuite-{number}", _attack("an attack that knows the softmax detector", sure, "above", 0.19)

    row = rows("robustness", "robust_accuracy", "linear_rule", f"{test}/near_pgd")
    yield "Shonest-1", _resists("accuracy of linear_rule under PGD", row, low, ["Sattack-1"])
    yield "Sattack-1", _attack("the suite on linear_rule", row | {"examples": f"{test}/near_suite"}, "below", low)
    row = rows("robustness", "robust_accuracy", "integer_rule", "lattice_test/integer_pgd")
    bound = round(truths.integer_accuracy(12) - MARGIN, 2)
    yield "Shonest-2", _resists("accuracy of the integer network under PGD", row, bound, ["Sattack-2"])
    suite = row | {"examples": "lattice_test/integer_suite"}
    yield "Sattack-2", _attack("the suite on the integer network", suite, "below", bound)
    row = rows("attacked_detection", "auroc_clean", "linear_rule+marker", "blocks_remote")
    yield "Shonest-3", _resists("AUROC of the marker on a set out of reach", row, 0.95, ["Sattack-3"])
    moved = row | {"metric": "auroc_both", "examples": "blocks_remote/moved_score"}
    yield "Sattack-3", _attack("an attack on both sides of the marker", moved, "below", 0.95)
    row = rows("evasion", "evasion_rate_at_0.05", "linear_rule+marker", f"{test}/near_pgd")
    yield "Shonest-4", _resists("images past rule and marker under PGD", row, 0.4, ["Sattack-4"], "at_most")
    past = row | {"examples": f"{test}/linear_rule+marker@0.05/aware_jointly"}
    yield "Sattack-4", _attack("an attack that knows rule and marker", past, "above", 0.4)
    row = rows("robustness", "robust_accuracy", "trained_rule", f"{test}/near_pgd")
    yield "Shonest-5", _resists("accuracy of the adversarially trained network under PGD", row, low, ["Sattack-5"])
    suite = row | {"examples": f"{test}/near_suite"}
    yield "Sattack-5", _attack("the suite on the trained network", suite, "below", low)


def _resists(
    name: str, row: dict[str, Any], bound: float, attacks: list[str], comparison: str = "at_least"
) -> dict[str, Any]:
    sign = {"at_least": ">=", "at_most": "<="}[comparison]
    test = {"name": name, **row, comparison: bound}
    block = {"setting": name, "criterion": f"{sign} {bound:g}", "bound": ORIGIN}
    return block | {"tests": [test], "broken_by": attacks}


def _attack(name: str, row: dict[str, Any], comparison: str, bound: float) -> dict[str, Any]:
    sign = {"below": "<", "above": ">"}[comparison]
    test = {"name": name, **row, comparison: bound, "consequence": "the claim above is broken"}
    block = {"kind": "counter", "setting": name, "criterion": f"{sign} {bound:g}", "bound": ORIGIN}
    return block | {"tests": [test]}

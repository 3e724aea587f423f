"""The claims of known answers: each quantity of the world, and bounds at chosen distances from its truth.

`PYTHONPATH=benchmarks python -m known_truths.claims` writes claims.yaml, and the claims at the end of experiment.yaml. A
claim called Strue-N is true and one called Sfalse-N is false, by construction.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from known_truths import truths
from known_truths.planted import ORIGIN, planted
from known_truths.world import CALIBRATION, DISTANCE, NEAR, NUISANCE, RATE, SIGMA, WIDE, rows

FOLDER = Path(__file__).parent / "known_answers"


class Quantity(NamedTuple):
    """A number of the world: what it is called, which rows hold it, its truth, and the usual error of its estimate."""

    name: str
    rows: dict[str, Any]
    truth: float
    error: float
    sets: tuple[str, ...] = ()  # it is a mean over these
    steps: tuple[float, float] | None = None  # distances of its bounds from the truth, in errors

    def bound(self, distance: float) -> float:
        """Return a bound at a distance from the truth; half-way to the least or greatest value that there is, if nearer."""
        least = -1 if self.rows["metric"].startswith(("error_minus", "auroc_minus", "kendall")) else 0
        low, high = ((self.truth + limit) / 2 for limit in (least, 1))
        bound = self.truth + distance
        return round(bound if least < bound < 1 else low if distance < 0 else high, 4)


@cache
def quantities() -> tuple[Quantity, ...]:
    """Return every quantity with its truth."""
    return tuple(_quantities())


def _quantities() -> Iterator[Quantity]:
    """Yield every quantity with its truth."""
    accuracy, test = truths.linear_accuracy, "blocks_test"

    def robust(
        name: str, entry: str, attack: str, truth: float, error: float, metric: str = "robust_accuracy"
    ) -> Quantity:
        return Quantity(name, rows("robustness", metric, entry, attack), truth, error)

    def clean(name: str, entry: str, examples: str, truth: float, error: float) -> Quantity:
        return Quantity(name, rows("robustness", "clean_accuracy", entry, examples), truth, error)

    linear = accuracy(DISTANCE, SIGMA)
    yield clean("accuracy of the linear rule", "linear_rule", test, linear, 0.015)
    yield robust("the linear rule under PGD", "linear_rule", f"{test}/near_pgd", accuracy(DISTANCE, SIGMA, NEAR), 0.02)
    yield robust(
        "the linear rule under the suite", "linear_rule", f"{test}/near_suite", accuracy(DISTANCE, SIGMA, NEAR), 0.02
    )
    yield robust(
        "the linear rule under wider PGD", "linear_rule", f"{test}/wide_pgd", accuracy(DISTANCE, SIGMA, WIDE), 0.02
    )
    success = 1 - accuracy(DISTANCE, SIGMA, NEAR) / linear
    yield robust("success of PGD on the linear rule", "linear_rule", f"{test}/near_pgd", success, 0.02, "success_rate")
    confidence = truths.confidence(DISTANCE, SIGMA, 30)
    yield robust("confidence of the linear rule", "linear_rule", test, confidence, 0.006, "mean_confidence")
    varied = {eps: accuracy(DISTANCE, SIGMA, eps, **NUISANCE) for eps in (0.0, NEAR, WIDE)}
    yield clean("accuracy of rules that vary with the seed", "varied_rule", test, varied[0.0], 0.025)
    yield robust("varied rules under PGD", "varied_rule", f"{test}/near_pgd", varied[NEAR], 0.04)
    yield robust("varied rules under wider PGD", "varied_rule", f"{test}/wide_pgd", varied[WIDE], 0.04)
    wild = {"nuisance": 1.0, "nuisance_spread": 0.5}
    yield clean("accuracy of rules that vary widely", "wild_rule", test, accuracy(DISTANCE, SIGMA, **wild), 0.05)
    truth = accuracy(DISTANCE, SIGMA, NEAR, **wild)
    yield robust("widely varying rules under PGD", "wild_rule", f"{test}/near_pgd", truth, 0.08)
    tempered = rows("robustness", "mean_confidence", "tempered_rule", test)
    confidence = truths.confidence(DISTANCE, SIGMA, 30, 0.7)
    yield Quantity("confidence of rules whose scale varies", tempered, confidence, 0.045, steps=(0.1, 0.3))
    minus = "error_minus_linear_rule"
    yield Quantity(
        "error that the nuisance weight adds",
        rows("paired_errors", minus, "varied_rule", test),
        linear - varied[0.0],
        0.025,
    )
    attacked = rows("paired_errors", minus, "varied_rule", f"{test}/near_pgd")
    yield Quantity("error that it adds under PGD", attacked, accuracy(DISTANCE, SIGMA, NEAR) - varied[NEAR], 0.04)
    yield clean(
        "accuracy of the quadratic rule",
        "quadratic_rule",
        "block_spreads",
        truths.quadratic_accuracy(0.05, 0.21),
        0.013,
    )
    yield robust(
        "the quadratic rule in an L2 ball", "quadratic_rule", "block_spreads/sphere",
        truths.quadratic_accuracy(0.05, 0.21, 0.05), 0.02, "robust_accuracy_unquantised",
    )  # fmt: skip
    yield clean("accuracy of the integer network", "integer_rule", "lattice_test", truths.integer_accuracy(0), 0.013)
    for eps, attack in ((12, "integer_suite"), (20, "wide_integer_suite")):
        truth = truths.integer_accuracy(eps)
        yield robust(f"the integer network within {eps}/255", "integer_rule", f"lattice_test/{attack}", truth, 0.02)

    def separation(
        name: str, detector: str, examples: str, truth: float, error: float, metric: str = "auroc"
    ) -> Quantity:
        return Quantity(name, rows("detection", metric, f"linear_rule+{detector}", examples), truth, error)

    near, far = truths.auroc(0.04, SIGMA), truths.auroc(0.08, SIGMA)
    yield separation("AUROC of the marker on the near set", "marker", "blocks_near", near, 0.014)
    yield separation(
        "AUROC of one pixel on the near set", "weak_marker", "blocks_near", truths.auroc(0.04, SIGMA, 1), 0.016
    )
    yield separation("AUROC of the marker on the far set", "marker", "blocks_far", far, 0.008)
    yield separation(
        "AUROC of the spread on the wide set", "marker_spread", "blocks_wide", truths.spread_auroc(SIGMA, 0.12), 0.013
    )
    yield separation(
        "FPR95 of the marker on the far set",
        "marker",
        "blocks_far",
        truths.accepted_at_95(0.08, SIGMA),
        0.035,
        "fpr95_id",
    )
    yield Quantity(
        "mean AUROC of the marker over three sets", rows("detection", "auroc", "linear_rule+marker", "{sets}"),
        (near + far + 0.5) / 3, 0.01, ("blocks_near", "blocks_far", "blocks_wide"),
    )  # fmt: skip
    yield Quantity(
        "AUROC that four pixels add to one",
        rows("paired_detection", "auroc_minus_weak_marker", "linear_rule+marker", "blocks_far"),
        far - truths.auroc(0.08, SIGMA, 1), 0.01,
    )  # fmt: skip

    def distances(name: str, metric: str, entry: str, truth: float, error: float, last: str = "linf") -> Quantity:
        return Quantity(name, rows("margins", metric, entry, f"{test}/{last}"), truth, error)

    yield distances(
        "median margin of the linear rule", "median_margin", "linear_rule", truths.median_margin(DISTANCE, SIGMA), 0.001
    )
    yield distances(
        "tau of the ranked rule", "kendall_tau", "ranked_rule", truths.scaled_tau(DISTANCE, SIGMA, 2), 0.009
    )
    brittle = truths.scaled_brittle_auroc(DISTANCE, SIGMA, 2, WIDE)
    yield distances("AUROC of its brittle images", f"brittle_auroc_at_{WIDE:g}", "ranked_rule", brittle, 0.006)
    within = accuracy(DISTANCE, SIGMA, NEAR)
    yield distances(
        "certified accuracy of the linear rule",
        f"certified_accuracy_at_{NEAR:g}",
        "linear_rule",
        within,
        0.02,
        "certified_distance",
    )
    caught = rows("evasion", "flagged_rate_at_0.05", "linear_rule+marker", test)
    yield Quantity("images that the marker flags", caught, truths.flagged(RATE, CALIBRATION), 0.012)
    few = rows("evasion", "flagged_rate_at_0.05", "hasty_rule+marker", test)
    yield Quantity(
        "images flagged at a threshold from 20 images", few, truths.flagged(RATE, 20), 0.045, steps=(0.34, 1.5)
    )
    worst = rows("evasion", "evasion_rate_at_0.05", "linear_rule+marker", f"{test}/worst")
    both = truths.evasion(DISTANCE, SIGMA, NEAR, RATE, CALIBRATION)
    yield Quantity("images past rule and marker, the worst of three attacks", worst, both, 0.02)
    past = rows("evasion", "evasion_rate_at_0.05", "linear_rule+marker", f"{test}/linear_rule+marker@0.05/aware")
    yield Quantity("images past rule and marker, one attack", past, both, 0.02)
    moved = rows("attacked_detection", "auroc_both", "linear_rule+marker", "blocks_far/moved_score")
    yield Quantity("AUROC with both sides attacked", moved, truths.auroc(0.08, SIGMA, eps=NEAR), 0.013)
    routed = rows("routing", "false_routing_rate", "routed_rule", test)
    yield Quantity("clean images that the router sends away", routed, truths.flagged(RATE, CALIBRATION), 0.012)


STEPS = ((0.2, 8.0), (1.0, 5.0), (2.0, 12.0), (0.5, 6.0))  # distances from the truth, in usual errors, by turns
COMPARISONS = ("at_least", "at_most", "above", "below")


def claim(quantity: Quantity, comparison: str, bound: float) -> dict[str, Any]:
    """Return a criterion that compares a quantity with a bound."""
    sign = {"at_least": ">=", "at_most": "<=", "above": ">", "below": "<"}[comparison]
    block: dict[str, Any] = {"setting": quantity.name, "criterion": f"{sign} {bound:g}", "bound": ORIGIN}
    if quantity.sets:
        block["roles"] = {"sets": "mean examples"}
    return block | {"tests": [{"name": quantity.name, **quantity.rows, comparison: bound}]}


def judged() -> Iterator[tuple[str, Quantity, str, float]]:
    """Yield each claim's id, what it is about, its comparison and its bound."""
    for number, quantity in enumerate(quantities()):
        for place, steps in enumerate(quantity.steps or STEPS[number % len(STEPS)]):
            comparison = COMPARISONS[(number + place) % 4]
            below = -1 if comparison in ("at_least", "above") else 1
            for kind, side in (("true", below), ("false", -below)):
                yield (
                    f"S{kind}-{2 * number + place + 1}",
                    quantity,
                    comparison,
                    quantity.bound(side * steps * quantity.error),
                )


# --- the files ----------------------------------------------------------------------------------------------------------

HEAD = """\
# Written by `PYTHONPATH=benchmarks python -m known_truths.claims`; change that instead. Strue-N is true and Sfalse-N false
# by construction: truths.py has the formulas. Splanted-N hides something and has to be broken, Shonest-N must not be.
name: Known answers
title: Claims whose truth is known
cite: "touchstone. Claims about Gaussian pixels, integer networks and planted defences, whose truth is a formula. 2026."
url: https://docs.scipy.org/doc/scipy/reference/stats.html

unfair: ["Two classes, 16 pixels and independent images: nothing that a paper is about."]
published: {}   # truths are formulas; no paper states them
"""


def paper() -> str:
    """Return the content of claims.yaml."""
    criteria = {name: claim(quantity, comparison, bound) for name, quantity, comparison, bound in judged()}
    lines = [f"  {name}: {json.dumps(block)}" for name, block in (*criteria.items(), *planted())]
    return HEAD + "\ncriteria:\n" + "\n".join(lines) + "\n"


def experiment() -> str:
    """Return the content of experiment.yaml with the claims at its end."""
    roles: dict[str, dict[str, Any]] = {
        name: {"sets": list(quantity.sets)} if quantity.sets else {} for name, quantity, _, _ in judged()
    }
    roles |= {name: {} for name, _ in planted()}
    before = (FOLDER / "experiment.yaml").read_text().partition("\nclaims:\n")[0]
    return before + "\nclaims:\n" + "".join(f"  {name}: {json.dumps(block)}\n" for name, block in roles.items())


if __name__ == "__main__":
    (FOLDER / "claims.yaml").write_text(paper())
    (FOLDER / "experiment.yaml").write_text(experiment())

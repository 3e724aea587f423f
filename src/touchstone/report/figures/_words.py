"""What figures call clean images and attacks."""

from __future__ import annotations

from collections.abc import Collection

from touchstone.records.metric_rows import Threat

CLEAN = "clean"
ATTACKS = {"fgsm": "One step (FGSM)", "pgd": "PGD", "attack_suite": "Attack suite", "": "Worst of several attacks"}


def attack_name(threats: Collection[Threat]) -> str:
    """Return what a figure calls an attack at several budgets: "PGD, 40 steps"; the steps only if they are equal.

    Args:
        threats: at least one. If they are of several components, all are named.
    """
    uses = list(dict.fromkeys(threat.use for threat in threats))
    if len(uses) > 1:
        return " or ".join(attack_name([threat for threat in threats if threat.use == use]) for use in uses)
    (use,) = uses
    steps = {dict(threat.budget).get("steps") for threat in threats}
    (count,) = steps if len(steps) == 1 else (None,)
    name = ATTACKS.get(use, use.replace("_", " "))
    return f"{name}, {count:g} steps" if use == "pgd" and isinstance(count, float) else name

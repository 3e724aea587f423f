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


def in_sentence(name: str) -> str:
    """Return a name as it stands within a sentence: "one step (FGSM)", and "PGD" as it is."""
    return name[0].lower() + name[1:] if name[1:2].islower() else name


def auroc_words(value: float) -> str:
    """Return an AUROC with two digits, with three if it would be rounded to 1, and as a bound beyond."""
    if 0.9995 <= value < 1:
        return "> 0.999"
    return f"{value:.3f}" if 0.995 <= value < 1 else f"{value:.2f}"


def percent(value: float) -> str:
    """Return a share in whole percent: "68%", "> 99%" where that would be 100 %, "< 1%" where it would be 0."""
    if 0 < value < 0.005 or 0.995 <= value < 1:
        return "< 1%" if value < 0.5 else "> 99%"
    return f"{value:.0%}"

"""Seeds of a study's networks: those of another run, and those that a defence inherits."""

from __future__ import annotations

from typing import Any

SEEDED = ("classifiers", "translators", "defences", "evaluations")


def shift(resolved: dict[str, Any]) -> int:
    """Add study.first_seed to every seed, so that a study judges its claims on networks that no earlier run trained.

    Afterwards the settings do not mention first_seed: jobs depend on the seeds alone.

    Returns:
        What was added.
    """
    first: int = resolved["study"].pop("first_seed")
    for section in SEEDED:
        for entry in resolved[section].values():
            if entry["seeds"]:
                entry["seeds"] = [first + seed for seed in entry["seeds"]]
    for figure in resolved["figures"].values():
        if "seed" in figure:
            figure["seed"] += first
    return first


def inherit(resolved: dict[str, Any]) -> None:
    """Give every defence without seeds those of its classifier."""
    for entry in resolved["defences"].values():
        entry["seeds"] = entry["seeds"] or resolved["classifiers"][entry["classifier"]]["seeds"]

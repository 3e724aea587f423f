"""Seeds of a study's networks: those of another run, and those that a defence inherits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from touchstone.pipeline.settings.problems import Problem

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


def absent(resolved: dict[str, Any], first: int) -> Iterator[Problem]:
    """Yield the evaluations with a seed that none of their networks has: it would be skipped silently.

    Args:
        resolved: The settings, after `shift` and `inherit`.
        first: What `shift` added.
    """
    networks = resolved["classifiers"] | resolved["defences"]
    for name, entry in resolved["evaluations"].items():
        present = {seed for net in (*entry["classifiers"], *entry["rivals"]) for seed in networks[net]["seeds"]}
        lacking = sorted(set(entry["seeds"] or ()) - present)
        if entry["classifiers"] and lacking:
            have, lack = (", ".join(str(seed - first) for seed in sorted(each)) for each in (present, lacking))
            yield Problem(("evaluations", name, "seeds"), f"its networks have the seeds {have}, and not {lack}")

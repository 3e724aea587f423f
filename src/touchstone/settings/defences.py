"""Defences of a study: their thresholds, and the evaluations that fit a defence but no network, or the reverse."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from touchstone.settings import seeds
from touchstone.settings.problems import Problem
from touchstone.settings.sections import on_pipelines


def wrong_defences(resolved: dict[str, Any], first: int, written: dict[str, Any]) -> Iterator[Problem]:
    """Yield the defences whose parts do not fit, and the evaluations that mix up defences and networks.

    Args:
        resolved: The settings, after `seeds.shift` and `seeds.inherit`.
        first: What `seeds.shift` added.
        written: The sections that the study's own file writes.
    """
    rates = resolved["study"]["false_positive_rates"]
    for name, entry in resolved["defences"].items():
        present = set(resolved["classifiers"][entry["classifier"]]["seeds"])
        if not present.issuperset(entry["seeds"]):
            reason = f"{entry['classifier']} has only the seeds {seeds.written(present, first)}"
            yield Problem(("defences", name, "seeds"), reason)
        rate = entry["false_positive_rate"]
        if entry["router"] and rate not in rates:
            reason = (
                f"{rate:g} is not among scale.false_positive_rates {rates}. Did you mean {_closest(rate, rates):g}?"
            )
            yield Problem(("defences", name, "false_positive_rate"), reason)
        if not entry["translator"]:
            yield Problem(("defences", name, "translator"), "must name an entry of translators")
        if entry["encoder"] and not entry["router"]:
            yield Problem(
                ("defences", name, "encoder"),
                "only a router reads it, and this defence has none; add a router or leave it out",
            )
    for name, question in resolved["evaluations"].items():
        own = (written.get("evaluations") or {}).get(name) or {}
        yield from _wrong_question(name, question, resolved, own)


def _closest(rate: float, rates: list[float]) -> float:
    return min(rates, key=lambda other: abs(other - rate))


def _wrong_question(
    name: str, question: dict[str, Any], resolved: dict[str, Any], own: dict[str, Any]
) -> Iterator[Problem]:
    """Yield detectors and margins of defences, and attacks on defences in evaluations of networks."""
    defences = resolved["defences"]
    defended = [victim for victim in question["classifiers"] if victim in defences]
    for key in ("detectors", "margins") if defended else ():
        if question[key]:
            reason = f"{defended[0]} is a defence, but {key} need a single network; ask an evaluation of classifiers"
            yield Problem(
                ("evaluations", name, "classifiers" if key not in own and "classifiers" in own else key), reason
            )
    whole = [attack for attack in question["attacks"] if on_pipelines(resolved["attacks"][attack])]
    if whole and not defended:
        reason = (
            f"{whole[0]} attacks defences, and none is among the classifiers;"
            f" defences are {', '.join(defences) or 'none here'}"
        )
        yield Problem(("evaluations", name, "attacks"), reason)

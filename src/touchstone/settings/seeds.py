"""Seeds of a study's networks: those of another run, and those that a defence inherits."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from touchstone.messages import nearest
from touchstone.settings.problems import Problem
from touchstone.settings.values import words

NETWORKS = ("classifiers", "translators", "defences")
SEEDED = (*NETWORKS, "evaluations")


def shift(resolved: dict[str, Any]) -> int:
    """Add scale.first_seed to every seed, so that a study judges its claims on networks that no earlier run trained.

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


def give_to_claims(
    wanted: Mapping[str, list[int]],
    claims: dict[str, Any],
    components: Mapping[str, Collection[str]],
    resolved: dict[str, Any],
) -> Iterator[Problem]:
    """Give every network that a claim is about the seeds that the study wants for the claim, besides its own.

    Defences and evaluations that list seeds of their own get them, too: the defences that the claim is about, and the
    evaluations of its networks with a component that its numbers come from.

    Args:
        wanted: claim -> seeds.
        claims: the casts of all claims, as written.
        components: claim -> the components of the evaluations that its numbers come from.
        resolved: the settings, before `shift`.

    Yields:
        The claims that the study does not have.
    """
    for claim, more in wanted.items():
        cast = claims.get(claim)
        if not isinstance(cast, dict):
            tested = [name for name, cast in claims.items() if isinstance(cast, dict)]
            reason = (
                f"no claim that this study tests is called so. It tests {', '.join(tested)}.{nearest(claim, tested)}"
            )
            yield Problem(("scale", "claims", claim), reason)
            continue
        named = set(words(cast))
        for name in named & resolved["defences"].keys():
            defence = resolved["defences"][name]
            named |= set(words([defence["classifier"], defence["translator"], defence["encoder"]]))
        entries = [resolved[section][name] for section in NETWORKS for name in named & resolved[section].keys()]
        if entries and all(set(more) <= set(entry["seeds"]) for entry in entries):
            yield Problem(
                ("scale", "claims", claim), "its networks have these seeds already; name more, or leave it out"
            )
        for question in resolved["evaluations"].values():
            about = named.intersection([*question["classifiers"], *question["rivals"]])
            if about and question["use"].partition("/")[2] in components.get(claim, ()):
                entries.append(question)
        for entry in entries:
            if entry["seeds"]:
                entry["seeds"] = sorted({*entry["seeds"], *more})


def inherit(resolved: dict[str, Any]) -> None:
    """Give every defence without seeds those of its classifier."""
    for entry in resolved["defences"].values():
        entry["seeds"] = entry["seeds"] or resolved["classifiers"][entry["classifier"]]["seeds"]


def absent(resolved: dict[str, Any], first: int) -> Iterator[Problem]:
    """Yield the evaluations with a seed that none of their networks has, and the figures of such a seed.

    An evaluation would skip the seed silently. A figure would fail after all other jobs.

    Args:
        resolved: The settings, after `shift` and `inherit`.
        first: What `shift` added.
    """
    evaluations = resolved["evaluations"]
    present = {name: _present(entry, resolved) for name, entry in evaluations.items()}
    for name, entry in evaluations.items():
        lacking = set(entry["seeds"] or ()) - present[name]
        if entry["classifiers"] and lacking:
            reason = f"its networks have the seeds {written(present[name], first)}, and not {written(lacking, first)}"
            yield Problem(("evaluations", name, "seeds"), reason)
    for name, figure in resolved["figures"].items():
        shown = {
            seed
            for one in (figure["evaluation"], *figure["also"])
            for seed in present[one].intersection(evaluations[one]["seeds"] or present[one])
        }
        if shown and figure.get("seed") not in (None, *shown):
            lack = written({figure["seed"]}, first)
            reason = f"the networks that it shows have the seeds {written(shown, first)}, and not {lack}"
            yield Problem(("figures", name, "seed"), f"{reason}; set it to one of these")


def _present(evaluation: dict[str, Any], resolved: dict[str, Any]) -> set[int]:
    """Return the seeds of an evaluation's networks."""
    networks = resolved["classifiers"] | resolved["defences"]
    return {seed for net in (*evaluation["classifiers"], *evaluation["rivals"]) for seed in networks[net]["seeds"]}


def written(numbers: Iterable[int], first: int) -> str:
    """Return seeds as the study's files write them.

    Args:
        numbers: The seeds, after `shift`.
        first: What `shift` added.
    """
    return ", ".join(str(number - first) for number in sorted(numbers))

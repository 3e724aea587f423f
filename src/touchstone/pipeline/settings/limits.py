"""Limits of a study. Beyond them settings make no sense, or planning would not end within seconds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from touchstone import registry
from touchstone.pipeline.settings.sections import on_pipelines

LARGEST = 1_000_000  # of any number that CEILINGS does not name; the smallest is its negative
CEILINGS = {"shards": 1_000} | dict.fromkeys(("seed", "seeds", "split_seed", "bootstrap_seed"), 2**32 - 1)
ENTRIES = 500  # in a section
ITEMS, SEEDS = 1_000, 100  # in a list
LETTERS = 60  # in a name; several names make the name of a file
CHAIN = 20  # sets, each made of the next
CELLS = 100_000  # files that the evaluations of a study read; the largest shipped one reads 8,000

Problem = tuple[tuple[str, ...], str]  # where, and what is wrong


def largest(name: str) -> int:
    """Return the largest value of a number, by the name of its setting."""
    return CEILINGS.get(name, LARGEST)


def most(name: str) -> int:
    """Return the largest number of items of a list, by the name of its setting."""
    return SEEDS if name == "seeds" else ITEMS


def circles(section: str, key: str, entries: dict[str, Any]) -> Iterator[Problem]:
    """Yield each circle of entries that name one another under `key`, once, and each chain that is too long."""
    reported: set[str] = set()
    for name in entries:
        way, other = [name], entries[name][key]
        while other in entries and other not in way and len(way) <= CHAIN:
            way.append(other)
            other = entries[other][key]
        if other in way:
            circle = [*way[way.index(other) :], other]
            if not reported & set(circle):
                message = f"{' is made of '.join(circle)}: a circle; give one of them a source"
                yield (section, circle[0], key), message
            reported |= set(circle)
        elif other in entries:
            yield (
                (section, name, key),
                f"begins a chain of sets, each made of the next; a chain has at most {CHAIN} sets",
            )


def inputs(examples: dict[str, Any]) -> Iterator[Problem]:
    """Yield the sets whose component needs a source or another set and has none, or has one and reads none."""
    for name, entry in examples.items():
        data = registry.used(entry["use"]).data
        for key, role, section, noun in (
            ("source", "folder", "sources", "source"),
            ("of", "examples", "examples", "set"),
        ):
            needed = role in data
            if needed != bool(entry[key]):
                idle = f"{entry['use']}.py reads no {noun}; leave it out"
                yield ("examples", name, key), f"must name an entry of {section}" if needed else idle


def sizes(resolved: dict[str, Any]) -> Iterator[Problem]:
    """Yield the evaluation that reads the most files, if all of them together read too many."""
    crossed = {name: _crossed(question, resolved) for name, question in resolved["evaluations"].items()}
    total = sum(crossed.values())
    if total > CELLS:
        name = max(crossed, key=crossed.__getitem__)
        yield (
            ("evaluations", name),
            f"its networks, sets, attacks, translators and detectors make {crossed[name]:,} files. All evaluations"
            f" together read {total:,} and may read at most {CELLS:,}: name fewer entries, seeds or shards",
        )


def _crossed(question: dict[str, Any], resolved: dict[str, Any]) -> int:
    """Return about how many files an evaluation reads."""
    models = resolved["classifiers"] | resolved["defences"]
    nets = sum(len(models[model]["seeds"]) for model in question["classifiers"])
    attacks = [resolved["attacks"][attack] for attack in question["attacks"]]
    guarded = sum(attack["use"].startswith("adaptive/") and not on_pipelines(attack) for attack in attacks)
    attacked = len(question["attacked"] or question["examples"])
    sets = len(question["examples"]) + attacked * (len(attacks) - guarded) * max(1, len(question["victims"]))
    sets *= 1 + len(question["translators"])
    detectors = len(question["detectors"])
    shards = max((resolved["examples"][name]["shards"] for name in question["examples"]), default=1)
    return int(nets * (sets * (1 + detectors + len(question["margins"])) + 2 * attacked * guarded * detectors) * shards)

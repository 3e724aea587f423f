"""The parts of a plan: tasks, networks, example sets, batches, rules, cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class Task:
    """One artefact to create: its step, inputs by role, output and settings."""

    step: str
    inputs: dict[str, str | list[str]]
    output: str
    settings: dict[str, Any]

    @property
    def input_files(self) -> list[str]:
        """The addresses of all inputs, in order."""
        return [file for files in self.inputs.values() for file in ([files] if isinstance(files, str) else files)]

    def as_json(self) -> dict[str, Any]:
        """Return the task as JSON.

        Snakemake reruns a job if the digest of this form changes. The sidecar of the output records all of it.
        """
        inputs = {role: [files] if isinstance(files, str) else files for role, files in self.inputs.items()}
        return {"inputs": inputs, "output": self.output, "settings": self.settings}


@dataclass(frozen=True)
class Set:
    """An example set: an entry, optionally attacked, then optionally translated."""

    examples: str
    victim: str = ""
    attack: str = ""
    translator: str = ""

    @property
    def address(self) -> str:
        """The set's part of a path: entry/victim/attack/translator, if not empty."""
        return "/".join(part for part in (self.examples, self.victim, self.attack, self.translator) if part)

    @property
    def guard(self) -> tuple[str, str]:
        """The victim's detector and its false-positive rate; "" for none."""
        detector, _, rate = self.victim.partition("+")[2].partition("@")
        return detector, rate

    @property
    def kind(self) -> str:
        """The folder that contains the set."""
        return "translated" if self.translator else "attacked" if self.attack else "examples"

    def of(self, wildcards: Mapping[str, str]) -> Set:
        """Return the set with {victim} and the translator's {seed} filled in."""
        return replace(self, victim=self.victim.format(**wildcards), translator=self.translator.format(**wildcards))


@dataclass(frozen=True)
class Batch:
    """Example sets that one job processes together.

    A batch is a group of entries, optionally attacked by a group of attacks, then optionally translated by a group of
    translators.

    Attributes:
        name: The names of the groups.
        sets: The example sets, perhaps with wildcards.
        detectors: For adaptive attacks, the group of detectors; each detector guards one victim.
    """

    name: str
    sets: tuple[Set, ...]
    detectors: str = ""

    @property
    def wildcards(self) -> tuple[str, ...]:
        """The wildcards of its jobs, besides the network: the victim, the seed."""
        parts = {"victim": self.sets[0].victim, "seed": self.sets[0].translator}
        return tuple(name for name, part in parts.items() if f"{{{name}}}" in part)


@dataclass(frozen=True)
class Rule:
    """One rule of the workflow: a step, and the wildcards that distinguish its jobs.

    Attributes:
        name: The name of the rule.
        step: The step that its jobs run.
        wildcards: The names of its wildcards.
        batch: The batch that its jobs process, if any.
        detectors: The group of detectors that its jobs fit or score, if any.
    """

    name: str
    step: str
    wildcards: tuple[str, ...] = ()
    batch: Batch | None = None
    detectors: str = ""

    @property
    def slots(self) -> str:
        """The wildcards as a path, such as {net}/{victim}."""
        return "/".join(f"{{{name}}}" for name in self.wildcards)


@dataclass(frozen=True)
class Net:
    """A trained network or a defence: an entry and a seed."""

    entry: str
    seed: int

    def __str__(self) -> str:
        return f"{self.entry}.{self.seed}"

    @staticmethod
    def parse_open(text: str) -> tuple[str, str]:
        """Return a network's entry and seed. The seed may be a wildcard; both are "" if the text is empty."""
        entry, _, seed = text.rpartition(".")
        return entry, seed

    @classmethod
    def parse(cls, text: str) -> Net:
        """Return the network with this name.

        A guard after the name, as in NET+DETECTOR@FPR, is ignored.
        """
        entry, seed = text.split("+")[0].rsplit(".", 1)
        return cls(entry, int(seed))


@dataclass(frozen=True)
class CellPlan:
    """One artefact that an evaluation reads: its role, file and facts."""

    role: str
    file: str
    facts: dict[str, Any] = field(default_factory=dict)

"""What a plan is made of: tasks, the addresses of networks and example sets, batches, rules, cells of evaluations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class Task:
    """One file to make: the step, its inputs by role, its settings."""

    step: str
    inputs: dict[str, str | list[str]]
    output: str
    settings: dict[str, Any]

    @property
    def input_files(self) -> list[str]:
        """Every input, in order."""
        return [file for files in self.inputs.values() for file in ([files] if isinstance(files, str) else files)]

    def as_json(self) -> dict[str, Any]:
        """Return the plain form whose digest a job is rerun for; a sidecar holds all of it."""
        inputs = {role: [files] if isinstance(files, str) else files for role, files in self.inputs.items()}
        return {"inputs": inputs, "output": self.output, "settings": self.settings}


@dataclass(frozen=True)
class Set:
    """The address of an example set: an entry, perhaps attacked, perhaps translated after that."""

    examples: str
    victim: str = ""
    attack: str = ""
    translator: str = ""

    @property
    def address(self) -> str:
        """The set's part of a path: entry/victim/attack/translator, what does not apply left out."""
        return "/".join(part for part in (self.examples, self.victim, self.attack, self.translator) if part)

    @property
    def guard(self) -> tuple[str, str]:
        """The detector that stands before the victim, and the false-positive rate of its threshold; "" for none."""
        detector, _, rate = self.victim.partition("+")[2].partition("@")
        return detector, rate

    @property
    def kind(self) -> str:
        """The folder that the set lies in."""
        return "translated" if self.translator else "attacked" if self.attack else "examples"

    def of(self, wildcards: Mapping[str, str]) -> Set:
        """Return the set with {victim} and the {seed} of its translator filled in."""
        return replace(self, victim=self.victim.format(**wildcards), translator=self.translator.format(**wildcards))


@dataclass(frozen=True)
class Batch:
    """Example sets that one job handles together: a group, attacked by a group of attacks or not, translated by a group
    of translators or not.
    """

    name: str
    sets: tuple[Set, ...]
    detectors: str = ""  # adaptive: the group of detectors that stand before the network, one victim each
    shards: int = 1  # how many parts each of its sets is cut into

    @property
    def wildcards(self) -> tuple[str, ...]:
        """What else than the network tells its jobs apart: the victim, the translators' seed, both or neither."""
        parts = {"victim": self.sets[0].victim, "seed": self.sets[0].translator}
        return tuple(name for name, part in parts.items() if f"{{{name}}}" in part)


@dataclass(frozen=True)
class Rule:
    """One rule of the workflow: a step, the wildcards that tell its jobs apart, what all of them have in common."""

    name: str
    step: str
    wildcards: tuple[str, ...] = ()
    batch: Batch | None = None
    detectors: str = ""
    gathers: str = ""  # the step whose shards it puts together

    @property
    def shards(self) -> int:
        """How many shards its files are cut into."""
        return self.batch.shards if self.batch else 1

    @property
    def told(self) -> str:
        """The batch as a job's message names it: with its shard, where that is one."""
        name = self.batch.name if self.batch else ""
        return f"{name}, shard {{wildcards.shard}}" if "shard" in self.wildcards else name

    @property
    def told_wildcards(self) -> str:
        """The wildcards as a job's message names them."""
        return " ".join(f"{{wildcards.{name}}}" for name in self.wildcards)

    @property
    def slots(self) -> str:
        """The wildcards as a path: {net}/{victim}."""
        return "/".join(f"{{{name}}}" for name in self.wildcards)


@dataclass(frozen=True)
class Net:
    """A trained network, or a defence: an entry and its seed."""

    entry: str
    seed: int

    def __str__(self) -> str:
        return f"{self.entry}.{self.seed}"

    @staticmethod
    def parse_open(text: str) -> tuple[str, str]:
        """Return entry and seed of a network whose seed may be a wildcard; "" for none."""
        entry, _, seed = text.rpartition(".")
        return entry, seed

    @classmethod
    def parse(cls, text: str) -> Net:
        """Return the network that an address names; of NET+DETECTOR@FPR the network."""
        entry, seed = text.split("+")[0].rsplit(".", 1)
        return cls(entry, int(seed))


@dataclass(frozen=True)
class CellPlan:
    """Where one artefact stands in an evaluation; the file is read when the evaluation runs."""

    role: str
    file: str
    facts: dict[str, Any] = field(default_factory=dict)

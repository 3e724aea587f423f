"""The parts of a plan: tasks, jobs, networks, example sets, cells."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from touchstone.provenance import job_folders

FOLDER = Path(".touchstone/plan")  # of the written plans of jobs
RULES = ("fetch", "prepare", "train", "attack", "translate", "measure", "detect", "defend", "evaluate", "report")
# The kinds of tasks, each with a module of that name in pipeline/steps/ and run_NAME in pipeline/jobs/adapters.py, in the
# order in which a job runs those that do not wait for each other.
STEPS = (
    *("fetch", "prepare", "convert", "train", "attack", "translate"),
    *("measure", "infer", "fit", "score", "evaluate", "report"),
)


@dataclass(frozen=True)
class Task:
    """One artefact to create: its step, the paths of its inputs by role, its own path, and the settings of the step."""

    step: str
    inputs: dict[str, str | list[str]]
    output: str
    settings: dict[str, Any]
    code: str = ""  # the digest of the code that makes it, in the plan of a job

    @property
    def input_files(self) -> list[str]:
        """The paths of all inputs, in order."""
        return [file for files in self.inputs.values() for file in ([files] if isinstance(files, str) else files)]

    @property
    def runs_torch(self) -> bool:
        """Whether it runs torch: its settings then name a device."""
        return "device" in self.settings

    @property
    def is_cached(self) -> bool:
        """Whether the store keeps its result. Raw files lie in data/raw, and a report in reports/."""
        return job_folders.split(self.output) is not None

    def as_json(self) -> dict[str, Any]:
        """Return the task as JSON, as a job reads it."""
        return dict(vars(self))

    @property
    def roles(self) -> dict[str, list[str]]:
        """The inputs, a list for each role."""
        return {role: [files] if isinstance(files, str) else files for role, files in self.inputs.items()}


@dataclass(frozen=True)
class Job:
    """One job of the workflow.

    Attributes:
        rule: The rule that starts it.
        name: What it works on: a source, a study, a network, a seed, a defence or a paper.
        tasks: Its tasks; a task stands behind those that make its inputs.
        inputs: The jobs whose artefacts it reads, each as rule/name.
    """

    rule: str
    name: str
    tasks: tuple[Task, ...]
    inputs: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.rule}/{self.name}"


@dataclass(frozen=True)
class Set:
    """An example set: an entry, optionally attacked, then optionally translated."""

    examples: str
    victim: str = ""
    attack: str = ""
    translator: str = ""

    @property
    def address(self) -> str:
        """The set's part of a name: entry/victim/attack/translator, if not empty."""
        return "/".join(part for part in (self.examples, self.victim, self.attack, self.translator) if part)

    @property
    def victim_detector(self) -> tuple[str, str]:
        """The victim's detector and its false-positive rate; "" for none."""
        detector, _, rate = self.victim.partition("+")[2].partition("@")
        return detector, rate

    @property
    def kind(self) -> str:
        """The folder that contains the set."""
        return "translated" if self.translator else "attacked" if self.attack else "examples"


@dataclass(frozen=True)
class Net:
    """A trained network or a defence: an entry and a seed."""

    entry: str
    seed: int

    def __str__(self) -> str:
        return f"{self.entry}.{self.seed}"

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

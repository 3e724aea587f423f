"""The unions of a pack's attacks of one budget, and the images that all of them leave right."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from touchstone.audit.recomputation import Recomputation
from touchstone.evaluations.statistics import declared_budgets
from touchstone.pipeline.planning.parts import Task
from touchstone.records.nouns import Array, ExampleSet, Outputs

SUITE = "attacks/attack_suite"


@dataclass(frozen=True)
class Union:
    """Attacks of one budget on one network and set, of which a study may say that the worst of them leaves images right.

    Attributes:
        task: One of them.
        files: All of them.
        outputs: What the network gives for each.
    """

    task: Task
    norm: Any
    eps: float
    files: tuple[str, ...]
    outputs: tuple[str, ...]

    def robust(self, reader: Recomputation) -> tuple[Array, ExampleSet]:
        """Return which images are right under every attack, and the clean set."""
        clean: ExampleSet = reader.noun(str(self.task.inputs["examples"]), "ExampleSet")
        hits = np.ones(len(clean), bool)
        for file in self.outputs:
            outputs: Outputs = reader.noun(file, "Outputs")
            hits &= outputs.predictions == clean.labels
        return hits, clean


def unions(reader: Recomputation, by_success: Collection[str]) -> Iterator[Union]:
    """Yield the unions of at least two attacks without a suite whose images were compared when it ran again.

    Args:
        reader: Of the pack.
        by_success: The files of attacks of which only the successes were compared.
    """
    tasks = reader.selection.tasks
    read = {
        (task.inputs["checkpoint"], task.inputs["examples"]): file
        for file in reader.selection.files
        if (task := tasks[file]).step == "infer"
        and "translators" not in task.inputs
        and isinstance(task.inputs["examples"], str)
    }
    groups: dict[tuple[Any, ...], list[tuple[Task, str]]] = {}
    for file in reader.selection.files:
        task = tasks[file]
        if task.step != "attack" or task.inputs.keys() != {"checkpoint", "examples"} or "draws" in task.settings:
            continue
        block, outputs = task.settings["component"], read.get((task.inputs["checkpoint"], file))
        budget = declared_budgets.single(block)
        if budget is None or budget.eps == 0 or not declared_budgets.stays_in_range(block) or outputs is None:
            continue
        if reader.has(task) and reader.has(tasks[outputs]):
            key = task.inputs["checkpoint"], task.inputs["examples"], budget.norm, budget.eps
            groups.setdefault(key, []).append((task, outputs))
    for (_, _, norm, eps), members in groups.items():
        suites = {task.output for task, _ in members if task.settings["component"]["use"] == SUITE}
        if len(members) > 1 and suites <= set(by_success):
            yield Union(
                members[0][0], norm, eps, tuple(task.output for task, _ in members), tuple(file for _, file in members)
            )

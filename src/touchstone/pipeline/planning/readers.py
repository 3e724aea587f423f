"""What the report depends on: which tasks read an artefact, and which parts of it they read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from touchstone.pipeline.planning.parts import Task
from touchstone.pipeline.provenance.addresses import Address


@dataclass
class Readers:
    """The tasks behind a report that read each artefact.

    A job works on all sets and detectors of its groups, and writes a bundle. The readers decide which members the bundle
    has, and gradient norms of which confounding labels. The job computes no others.
    """

    of: dict[str, list[Task]] = field(default_factory=dict)

    def used(self, tasks: tuple[Task, ...]) -> tuple[Task, ...]:
        """Return the tasks of a job whose artefacts are read, or all if none is read, without labels that nothing reads.

        Whole files are made in any case, because the rule of the workflow promises them.
        """
        if Address.parse(tasks[0].output).member:
            tasks = tuple(task for task in tasks if task.output in self.of) or tasks
        return tuple(self._with_labels_read(task) for task in tasks)

    def _with_labels_read(self, task: Task) -> Task:
        readers = self.of.get(task.output, []) if task.step == "infer" else []
        if not readers:
            return task
        read = {label for reader in readers for label in labels_read(reader, task.output)}
        labels = {name: block for name, block in task.settings["confounding"].items() if name in read}
        return replace(task, settings=task.settings | {"confounding": labels})


def labels_read(task: Task, address: str) -> set[str]:
    """Return the confounding labels whose gradient norms a task reads from an artefact."""
    match task.step:
        case "score" | "fit" | "evaluate":
            blocks = [task.settings["component"]]
        case "report":
            figures = task.settings["figures"].values()
            blocks = [one["component"] for one in figures if any(cell["file"] == address for cell in one["cells"])]
        case _:
            return set(task.settings.get("confounding", {}))
    return {block["label"] for block in blocks if block.get("label")}


def find_readers(target: str, made_with: Callable[[str], tuple[Task, ...]]) -> Readers:
    """Return the readers of every artefact that a file depends on.

    Args:
        target: The file.
        made_with: Returns all tasks of the job that makes an artefact.
    """
    readers, waiting, seen = Readers(), [target], set[str]()
    while waiting:
        address = waiting.pop()
        if address in seen:
            continue
        tasks = made_with(address)
        if Address.parse(address).member:
            tasks = tuple(task for task in tasks if task.output == address)
        seen.update(task.output for task in tasks)
        for task in tasks:
            for file in task.input_files:
                readers.of.setdefault(file, []).append(task)
                waiting.append(file)
    return readers

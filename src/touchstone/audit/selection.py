"""Which artefacts a claim rests on: its evaluations, their cells, and what those were computed from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from touchstone.claims import paper_files
from touchstone.claims.criteria import Book, Criterion
from touchstone.messages import nearest
from touchstone.pipeline.planning import apart
from touchstone.pipeline.planning.parts import Set, Task
from touchstone.pipeline.planning.plan import Plan

TAKEN = ("fetch", "prepare", "convert", "train", "attack")  # verification needs few of their inputs, or none


@dataclass(frozen=True)
class Selection:
    """The part of a study that some claims rest on.

    Attributes:
        plan: Of the study.
        claims: Their ids; none means all of them.
    """

    plan: Plan
    claims: tuple[str, ...] = ()

    @cached_property
    def book(self) -> Book:
        """Every claim of the study's papers."""
        return paper_files.book(self.plan.study["papers"])

    @property
    def tasks(self) -> dict[str, Task]:
        """The task of each artefact, by its path."""
        return self.plan.tasks

    @property
    def report(self) -> Task:
        """The task of the report."""
        return self.tasks[self.plan.layout.page]

    @cached_property
    def evaluations(self) -> list[str]:
        """The evaluations that the claims and the gates of their variants read, and those that may break them."""
        every = list(self.plan.study["evaluations"])
        if not self.claims:
            return every
        criteria, tried = list(self._criteria()), self.plan.study.settings.get("variants", {})
        read = {each.rows.evaluation for criterion in criteria for each in criterion.conditions.values()}
        read |= {gate["evaluation"] for one in criteria if one.id in tried for gate in tried[one.id]["gate"]}
        return [name for name in every if self.plan.study["evaluations"][name]["use"].split("/")[1] in read]

    def _criteria(self) -> Iterator[Criterion]:
        """Yield the criteria behind the claims, and the criteria that may break these.

        Raises:
            ValueError: There is no such claim.
        """
        waiting, seen = list(self.claims), set[str]()
        while waiting:
            name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            if name not in self.book.criteria:
                known = nearest(name, self.book.criteria)
                raise ValueError(f"study {self.plan.study.name} has no claim called {name}.{known}")
            yield self.book.criteria[name]
            waiting += self.book.criteria[name].broken_by

    @cached_property
    def metrics(self) -> dict[str, str]:
        """The file of rows of every evaluation of the study, by its name."""
        return {name: self.plan.layout.metrics(name) for name in self.plan.study["evaluations"]}

    @cached_property
    def files(self) -> list[str]:
        """The artefacts behind the claims, each after its inputs; for all claims, all but raw files and the report."""
        ordered = dict[str, None]()
        every = [file for file in self.tasks if file != self.report.output and self.tasks[file].step != "fetch"]
        self._add([self.metrics[name] for name in self.evaluations] if self.claims else every, ordered)
        for tested, learned in apart.pairs(self.plan.study):
            files = [self.set_file(name) for name in (tested, learned)]
            if files[0] in ordered:
                self._add([file for file in files if file in self.tasks], ordered)  # perhaps no job needs the second
        return list(ordered)

    def set_file(self, name: str) -> str:
        """Return the path of a clean set."""
        return self.plan.layout.set_file(Set(name))

    def _add(self, outputs: Iterable[str], ordered: dict[str, None]) -> None:
        waiting = list(outputs)[::-1]
        while waiting:
            output = waiting[-1]
            behind = [] if output in ordered else [file for file in self.inputs(output) if file not in ordered]
            if behind:
                waiting += behind
            else:
                ordered[waiting.pop()] = None

    def inputs(self, output: str) -> list[str]:
        """Return the artefacts that verifying an artefact needs: all its inputs, or some of them for steps in TAKEN."""
        task = self.tasks[output]
        if task.step not in TAKEN or task.step == "attack":  # the challenge runs attacks again
            return task.input_files
        return [str(task.inputs["examples"])] if task.step == "prepare" and "examples" in task.inputs else []

    @cached_property
    def stated(self) -> set[str]:
        """The artefacts that the pack holds: those behind the claims, and every evaluation's rows."""
        return {*self.files, *self.metrics.values()}

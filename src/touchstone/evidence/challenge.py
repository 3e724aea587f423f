"""Challenge a pack: attack a random sample of its images again, and search for points that its margins deny.

Comparing stored files cannot tell a weak attack from a robust network. So the challenge runs attacks itself, on images that
no author can foresee:

- the attack that each record names, on some images of its set (`attack_reruns`);
- the attack suite, on images that all attacks of one budget left right, where no suite is among these attacks;
- a search for nearer points than the margins, for which every attacked image of the pack counts, too (`nearer_points`).
"""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from touchstone.claims.judging import StudyClaims
from touchstone.claims.measurements import Measured, Missing, quantities
from touchstone.evidence import attack_reruns, attacked_again, nearer_points
from touchstone.evidence.attack_reruns import Rerun
from touchstone.evidence.nearer_points import Nearer
from touchstone.evidence.problems import CHALLENGE, UNREADABLE, Result, counted
from touchstone.evidence.recomputation import Recomputation
from touchstone.evidence.selection import Selection
from touchstone.pipeline.planning.parts import Task
from touchstone.pipeline.provenance import job_folders, sidecar_files
from touchstone.records import metric_tables
from touchstone.records.nouns import Array, ExampleSet, LeftOutError, Outputs
from touchstone.report.tables import numbered
from touchstone.statistics import declared_budgets, intervals

DEFAULT = 2  # images of each attacked set: what the time of its attacks allows, see benchmarks/results/challenge.md
SEARCHED = 4  # times as many images of each network meet the suite, and a search for nearer points
MOST_CLAIMS = 6  # listed in one message
SUITE = "attacks/attack_suite"


@dataclass
class Counts:
    """What the challenge did, in numbers."""

    sets: int = 0
    images: int = 0
    still: int = 0
    others: int = 0
    subjects: int = 0
    nearer: list[Nearer] = field(default_factory=list)
    unions: int = 0
    met: int = 0
    fallen: int = 0
    seconds: Counter[str] = field(default_factory=Counter)


def challenge(reader: Recomputation, result: Result, count: int | None = None, seed: int | None = None) -> None:
    """Challenge a pack, and say what was done, what it could have noticed, and what it contradicts.

    Args:
        reader: Of the unpacked pack.
        result: Receives sentences and problems.
        count: Images of each attacked set; 0 for no challenge, None for `DEFAULT`.
        seed: Of the sample; None for one from the system.
    """
    count = DEFAULT if count is None else count
    if count == 0:
        strong = "whether the attacks were as strong as their records say"
        result.unchecked.append(f"{strong}: with --challenge 0, none was run again")
        return
    seed = secrets.randbits(32) if seed is None else seed
    random, counts = np.random.default_rng(seed), Counts()
    reader.random = np.random.default_rng(random.integers(2**63))
    claims = _Claims(reader.selection, reader.folder)
    for part, run in (("attacks", _attacks), ("margins", _margins), ("suite", _suites)):
        started = time.process_time()
        run(reader, result, count, random, claims, counts)
        counts.seconds[part] += round(time.process_time() - started, 1)
    result.challenged += _sentences(counts, count, seed)


def _here(reader: Recomputation, task: Task) -> bool:
    """Return whether a task's result and all its inputs are in the pack; what is missing was named before."""
    return all(sidecar_files.exists(reader.folder / file) for file in (task.output, *task.input_files))


def _attacks(
    reader: Recomputation, result: Result, count: int, random: np.random.Generator, claims: _Claims, counts: Counts
) -> None:
    for file in reader.selection.files:
        task = reader.selection.tasks[file]
        if task.step != "attack" or not _here(reader, task):
            continue
        with result.reading(CHALLENGE, file, "its attack cannot be run again"):
            try:
                found = attack_reruns.rerun(reader, task, count, random)
            except LeftOutError:
                continue
            attacked: ExampleSet = reader.noun(file, "ExampleSet")
            clean: ExampleSet = reader.noun(str(task.inputs["examples"]), "ExampleSet")
            counts.sets, counts.images = counts.sets + 1, counts.images + found.looked
            counts.still += int(attack_reruns.unmoved(attacked, clean).sum())
            counts.others += 0 if found.contradicts else len(found.others)
            if found.contradicts:
                result.add(CHALLENGE, file, _words(task, found, attacked.example_ids) + claims.on(file))


def _words(task: Task, found: Rerun, ids: Array) -> str:
    """Return in words which images of a file are none that its attack returns."""
    attack = str(task.settings["component"]["use"]).partition("/")[2]
    row = found.fooled if found.fooled is not None else (found.unmoved or found.others)[0]
    what = "equals its clean image" if row in found.unmoved else "is not what that attack returns"
    fooled = "; that attack succeeds with it, the file does not" if row == found.fooled else ""
    still = f", {len(found.unmoved)} of them equal to their clean images" if found.unmoved else ""
    return (
        f"by its record the attack {attack} made it, but image {ids[row]} {what}{fooled}. Of {found.looked} images that were"
        f" attacked again, {len(found.others)} are others{still}"
    )


def _margins(
    reader: Recomputation, result: Result, count: int, random: np.random.Generator, claims: _Claims, counts: Counts
) -> None:
    for subject in nearer_points.subjects(reader):
        if not all(_here(reader, task) for task in subject.tasks):
            continue
        counts.subjects += 1
        with result.reading(CHALLENGE, subject.tasks[0].output, "its margins cannot be searched"):
            for found in nearer_points.nearer(reader, subject, SEARCHED * count, random):
                counts.nearer.append(found)
                if found.contradicts:
                    result.add(CHALLENGE, found.file, _denied(found) + claims.on(found.file))


def _denied(found: Nearer) -> str:
    return (
        f"image {found.image} has the margin {found.margin:.4g}, and another class at the distance {found.distance:.4g}"
        f" ({found.found_by}); {found.count} of {found.total} images have points nearer than the margin by more than a"
        f" search misses"
    )


def _suites(
    reader: Recomputation, result: Result, count: int, random: np.random.Generator, claims: _Claims, counts: Counts
) -> None:
    for union in _unions(reader):
        with result.reading(CHALLENGE, union.files[0], "its images cannot be attacked with the suite"):
            try:
                robust, clean = union.robust(reader)
            except LeftOutError:
                continue
            if not robust.any():
                continue
            model = reader.job(union.task).model()
            device = union.task.settings["device"] if reader.device is None else reader.device
            images, labels = (torch.from_numpy(each).to(device) for each in (clean.images, clean.labels))
            found = attacked_again.challenge(
                model, images, labels, robust, eps=union.eps, norm=union.norm, count=SEARCHED * count,
                seed=int(random.integers(2**31)),
            )  # fmt: skip
            counts.unions, counts.met = counts.unions + 1, counts.met + len(found.rows)
            counts.fallen += found.count
            low = intervals.binomial(int(robust.sum()), len(robust)).low
            words = attacked_again.contradiction(found, len(robust), low or 0.0)
            if words and (named := claims.on(*union.files, worst=True)):
                result.add(CHALLENGE, union.files[0], words + named)


@dataclass(frozen=True)
class _Union:
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


def _unions(reader: Recomputation) -> Iterator[_Union]:
    """Yield the unions of at least two attacks that hold no suite: one that does is challenged by running that again."""
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
        if _here(reader, task) and _here(reader, tasks[outputs]):
            key = task.inputs["checkpoint"], task.inputs["examples"], budget.norm, budget.eps
            groups.setdefault(key, []).append((task, outputs))
    for (_, _, norm, eps), members in groups.items():
        if len(members) > 1 and all(task.settings["component"]["use"] != SUITE for task, _ in members):
            yield _Union(
                members[0][0], norm, eps, tuple(task.output for task, _ in members), tuple(file for _, file in members)
            )


class _Claims:
    """The claims that rest on an artefact; they are looked up when the first problem needs them."""

    def __init__(self, selection: Selection, folder: Path) -> None:
        self.selection, self.folder = selection, folder
        self._read: list[tuple[str, bool, frozenset[str]]] | None = None

    def on(self, *files: str, worst: bool = False) -> str:
        """Return "; claims that rest on it: ..." or "" if there are none.

        Args:
            files: Artefacts; claims on any of them count.
            worst: Whether only claims count that are about the worst of several attacks.
        """
        if self._read is None:
            self._read = list(self._rows())
        below = self._below(files)
        rests = [name for name, of_worst, read in self._read if read & below and (of_worst or not worst)]
        broken = [one.id for one in self.selection.book.criteria.values() if {*one.broken_by} & {*rests}]
        names = list(dict.fromkeys([*rests, *broken]))
        if self.selection.claims:
            names = [name for name in names if name in self._chosen()] or names
        more = f" and {len(names) - MOST_CLAIMS} others" if len(names) > MOST_CLAIMS else ""
        return f"; claims that rest on it: {', '.join(names[:MOST_CLAIMS])}{more}" if names else ""

    def _chosen(self) -> set[str]:
        book, chosen = self.selection.book, set(self.selection.claims)
        return chosen | {one.id for one in book.criteria.values() if chosen & {*one.scales}}

    def _below(self, files: tuple[str, ...]) -> set[str]:
        """Return the names of artefacts and of everything that is computed from them, as rows of tables write them."""
        found = set(files)
        for file in self.selection.files:  # each stands after its inputs
            if not found.isdisjoint(self.selection.tasks[file].input_files):
                found.add(file)
        return found | {str(split[1]) for file in found if (split := job_folders.split(file))}

    def _rows(self) -> Iterator[tuple[str, bool, frozenset[str]]]:
        """Yield each claim, whether one of its numbers is of the worst attack, and the files that this was computed from."""
        metrics = {}
        for name in self.selection.evaluations:
            try:
                metrics[name] = metric_tables.decode((self.folder / self.selection.metrics[name]).read_bytes())
            except UNREADABLE:  # named before
                continue
        study = StudyClaims(**self.selection.plan.questions.claims())
        measured = Measured(numbered(metrics), study.components)
        for criterion in self.selection.book.criteria.values():
            chosen = study.claims.get(criterion.id)
            if chosen is None or isinstance(chosen, str) or not chosen.keys() >= criterion.roles.keys():
                continue
            for condition in criterion.conditions.values():
                try:
                    groups = list(quantities(condition, criterion, chosen, measured))
                except Missing:
                    continue
                for quantity in (each for group in groups for each in group):
                    for row in (quantity.row, *quantity.each):
                        yield criterion.id, bool(row.threat.worst_of), frozenset(row.files)


def _sentences(counts: Counts, count: int, seed: int) -> Iterator[str]:
    """Yield what was attacked again, what the challenge could have noticed, and how long it took."""
    seconds = counts.seconds
    if counts.sets:
        others = f"; {counts.others} came out otherwise, no more than on another processor" if counts.others else ""
        yield (
            f"{counted(counts.images, 'image')} of {counted(counts.sets, 'attacked set')}, attacked again as the"
            f" records say: {count} of each, drawn with the seed {seed}{others}. If a share p of a set is falsified, the drawn images"
            f" miss it with probability (1 - p)^{count}: a half with {0.5**count:.2g}, a tenth with {0.9**count:.2g}"
            f" ({seconds['attacks']:.0f} s)"
        )
    if counts.still:
        yield (
            f"{counted(counts.still, 'attacked image')} that equal their clean ones: of each set that has any, one was drawn"
        )
    if counts.subjects:
        nearer = sum(one.count for one in counts.nearer if not one.contradicts)
        some = f"; {nearer:,} have a point nearer by a tenth, which is within what searches miss" if nearer else ""
        yield (
            f"the margins of {counted(counts.subjects, 'pair')} of network and set: compared with the attacked images of"
            f" that network, and with a search on {SEARCHED * count} images of each{some} ({seconds['margins']:.0f} s)"
        )
    if counts.unions:
        yield (
            f"{counted(counts.met, 'image')} that {counted(counts.unions, 'union')} of attacks leave right, attacked with"
            f" the attack suite: it fooled {counts.fallen} ({seconds['suite']:.0f} s)"
        )

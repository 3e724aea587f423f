"""Run steps of a study again, one artefact at a time, from the artefacts in a folder: a pack's, or one's own project."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from touchstone import registry
from touchstone.audit.selection import TAKEN, Selection
from touchstone.digests import canonical
from touchstone.evaluations.statistics.thresholds import threshold_at
from touchstone.numerics import precision
from touchstone.pipeline.jobs.artefacts import METRICS, OF_COMPUTER, Artefacts, Record
from touchstone.pipeline.jobs.job import Job, bound
from touchstone.pipeline.jobs.job_plan import JobError, JobPlan
from touchstone.pipeline.jobs.run import carry_out
from touchstone.pipeline.planning.parts import Task
from touchstone.provenance import code, sidecar_files
from touchstone.provenance.store import Store
from touchstone.records import encoding, metric_tables, nouns
from touchstone.records.nouns import Array, Detector, ExampleSet, Scores
from touchstone.records.selection import select_rows

KINDS = {
    **{"prepare": "ExampleSet", "translate": "ExampleSet", "attack": "ExampleSet", "train": "Checkpoint"},
    **{"convert": "Checkpoint", "measure": "Margins", "infer": "Outputs", "fit": "Detector", "score": "Scores"},
    "evaluate": METRICS,
}
BY_ROW = ("translate", "infer", "measure", "score")  # steps that compute each row of a set by itself
SET = ("examples", "outputs")  # the roles in which these steps read that set
PROBES = ("linear_probe", "pseudo_margins")  # evaluations that train: rounding decides some of their predictions
NUDGE = 1e-6  # of each weight, some steps of float32: a number at a tie then falls to either side
MARGINS = (
    32  # rows of a file that are searched again if nobody asks for a share: 10 forged ones of 100 are missed by 2 %
)
MOST_KEPT = 24  # nouns in memory: a job's inputs are read again by its neighbours
MOST_NETWORKS = 8  # in memory, for the same reason


class _Recent:
    """The values that were used last, by key."""

    def __init__(self, most: int) -> None:
        self.most, self.values = most, OrderedDict[Any, Any]()

    def get(self, key: Any, make: Callable[[], Any]) -> Any:
        """Return the value of a key; call `make` if it is not stored."""
        value = self.values.pop(key) if key in self.values else make()
        self.values[key] = value
        while len(self.values) > self.most:
            self.values.popitem(last=False)
        return value


@dataclass(frozen=True)
class _Places(JobPlan):
    """Where artefacts lie: what is read in one folder, and the pages of a report that is made again in another."""

    root: Path
    scratch: Path

    def place(self, path: str) -> Path:
        """Return where an artefact lies."""
        return (self.scratch if path.startswith("reports/") else self.root) / path


class _Task(Job):
    """A task whose result stays in memory.

    Attributes:
        result: The noun that it writes.
        sample: The rows of its set that it reads, (K,); None for all of them.
        examples: The set that it reads in place of its own; None for its own.
        nudged: Whether the weights of its networks are moved at random, each by at most `NUDGE` of it.
    """

    result: Any = None
    sample: Array | None = None
    examples: ExampleSet | None = None
    nudged: bool = False
    artefacts: Recomputation

    def noun(self, role: str, kind: str) -> Any:
        """Return the noun of a role; of the set that is computed on, the sampled rows."""
        if role == "examples" and self.examples is not None:
            return self.examples
        noun = super().noun(role, kind)
        return noun if self.sample is None or noun is None or role not in SET else select_rows(noun, self.sample)

    def _network(self, file: str, block: dict[str, Any]) -> Any:
        if self.nudged:
            return self.artefacts.nudge(self._opened(file, block))
        if self.task.step == "train":  # which may change it
            return self._opened(file, block)
        # Device and memory order are the same in all tasks of a study.
        return self.artefacts.networks.get((file, canonical(block)), lambda: self._opened(file, block))

    def _opened(self, file: str, block: dict[str, Any]) -> Any:
        from touchstone.audit import network_sizes

        try:
            network_sizes.check(bound(block), self.artefacts.noun(file, "Checkpoint"))
        except ValueError as error:
            raise JobError(f"{file}: {error}") from error
        return super()._network(file, block)

    def write(self, noun: Any) -> None:
        """Keep the task's result."""
        self.result = noun

    def check_code(self) -> None:
        """Accept the code: the task was planned by this process."""


class Recomputation(Artefacts):
    """Reads the nouns of a study in a folder, and computes them again. Nothing in the folder changes.

    Args:
        selection: The claims to verify.
        folder: Of the pack, or the folder of one's own project.
        device: What to compute on, instead of the study's device; None for that.
        raw: Folders of raw files that the verifier has, by the name of their source.
        share: Of the rows of a file, and of the fits, that are computed again, above 0 and at most 1. None for all, but of
            margins, whose search takes longest, a few of each file.
        scratch: The folder for progress files and the pages of a report; by default `folder`.
    """

    def __init__(
        self,
        selection: Selection,
        folder: Path,
        device: str | None,
        raw: dict[str, Path],
        share: float | None = 1.0,
        scratch: Path | None = None,
    ) -> None:
        self.scratch = scratch or folder
        super().__init__(_Places("", "", "", (), {}, {}, folder, self.scratch), Store(""))  # nothing is kept
        self.share, self.random = share, np.random.default_rng()  # seeded by the system, so no author can foresee it
        self.selection, self.folder, self.device, self.raw = selection, folder, device, raw
        self.nouns, self.networks = _Recent(MOST_KEPT), _Recent(MOST_NETWORKS)
        self.refits: dict[str, Detector] = {}  # detectors that come out otherwise if they are fitted here
        self.flat_rows: dict[str, Any] = {}  # the images without a score gradient, of clean sets
        self._calibrations: dict[str, Detector] = {}

    def noun(self, file: str, kind: str) -> Any:
        """Return an artefact, as the pack states it or recomputed.

        Raises:
            JobError: It is missing or damaged, or is no such noun.
        """
        return self.nouns.get(file, lambda: self._made(file, kind))

    def raw_files(self, file: str) -> Path:
        """Return where the verifier has a folder of raw files."""
        return self.raw[Path(file).name]

    def has(self, task: Task) -> bool:
        """Return whether a task's result and all its inputs are in the folder."""
        return all(sidecar_files.exists(self.folder / file) for file in (task.output, *task.input_files))

    def _made(self, file: str, kind: str) -> Any:
        if not sidecar_files.exists(self.folder / file):
            task = self.selection.tasks.get(file)
            if task is None or not self.computable(task):
                raise JobError(f"{file} is missing")
            return self.compute(task)
        try:
            data = (self.folder / file).read_bytes()
            return metric_tables.decode(data) if kind == METRICS else encoding.decode(data, nouns.KINDS[kind])
        except ValueError as error:
            raise JobError(f"{file}: {error}") from error

    def computable(self, task: Task) -> bool:
        """Return whether a task can be run again without an attack on a set, a training run or a download."""
        if task.step == "prepare":
            return "folder" not in task.inputs or Path(str(task.inputs["folder"])).name in self.raw
        return task.step not in TAKEN

    def draw(self, count: int, few: bool = False) -> Array | None:
        """Return the sorted places of a random sample of things to compute again; None for all of them.

        Args:
            count: How many there are.
            few: Whether they are margins.
        """
        whole = MARGINS if few else count
        size = whole if self.share is None else math.ceil(self.share * count)
        return None if size >= count else np.sort(self.random.choice(count, size, replace=False))

    @cached_property
    def fitted(self) -> list[str]:
        """The detectors and the evaluations that train something."""
        tasks = (self.selection.tasks[file] for file in self.selection.files)
        return [task.output for task in tasks if _fits(task)]

    @cached_property
    def refitted(self) -> set[str]:
        """The members of `fitted` that are trained again."""
        drawn = self.draw(len(self.fitted))
        return set(self.fitted if drawn is None else (self.fitted[place] for place in drawn))

    def nudge(self, network: Any) -> Any:
        """Return a network after its weights were moved at random, each by at most `NUDGE` of it."""
        import torch

        with torch.no_grad():
            for weights in network.parameters():
                noise = torch.from_numpy(self.random.uniform(-NUDGE, NUDGE, tuple(weights.shape)))
                weights.mul_(1 + noise.to(weights.device))
        return network

    def compute(
        self, task: Task, sample: Array | None = None, *, examples: ExampleSet | None = None, nudged: bool = False
    ) -> Any:
        """Run a task again and return its result, without the check that the rows of scores are independent.

        Args:
            task: The task. Its detector is one of those installed.
            sample: The rows to compute, for a step that computes each by itself; None for all of them.
            examples: The set to compute on, in place of the task's; None for that.
            nudged: Whether the weights of its networks are moved at random, each by at most `NUDGE` of it.

        Raises:
            Exception: Whatever a step raises about its inputs.
        """
        job = self.job(task, sample, nudged=nudged)
        job.examples = examples
        if task.step == "score":
            from touchstone.pipeline.jobs.detector_tasks import scored_rows, scorer  # it imports torch

            return scorer(job)(*scored_rows(job), job.noun("detector", "Detector"))
        return self.run(job)

    def run(self, job: _Task) -> Any:
        """Run a task again as a job of the study does, and return its result."""
        with job.drawn():
            carry_out(job)
        return job.result

    def scores(self, task: Task, detector: Detector, sample: Array | None = None) -> Scores:
        """Return the scores of a task by a detector: of a set, or of the calibration images if the task fits one."""
        from touchstone.pipeline.jobs.detector_tasks import scored_rows, scorer

        job = self.job(task, sample)
        scores: Scores = scorer(job)(*scored_rows(job), detector)
        return scores

    def calibration(self, file: str) -> Detector:
        """Return a detector as its stated tensors give it.

        Thresholds and spread are those of its calibration images. Settings, supervision and false-positive rates follow from
        the task.
        """
        from touchstone.pipeline.steps.fit import spread_of

        if file not in self._calibrations:
            task, detector = self.selection.tasks[file], self.noun(file, "Detector")
            block = task.settings["component"]
            fitted = registry.used(block["use"]).fit
            supervised = fitted is not None and any(name.startswith("anomalous_") for name in fitted.data)
            scores = np.sort(self.scores(task, detector).scores)
            thresholds = {f"{rate:g}": threshold_at(scores, rate) for rate in task.settings["false_positive_rates"]}
            self._calibrations[file] = Detector(detector.state, block, thresholds, spread_of(scores), supervised)
        return self._calibrations[file]

    def job(self, task: Task, sample: Array | None = None, *, nudged: bool = False) -> _Task:
        """Return the job of a task: it reads from the folder, and its result stays in memory."""
        settings = task.settings
        if self.device is not None and "device" in settings:
            import torch

            settings = settings | {"device": self.device, "threads": torch.get_num_threads()}
        if task.runs_torch:
            precision.set_up(settings)
        job = _Task(replace(task, settings=settings), self, self.scratch)
        job.sample, job.nudged = sample, nudged
        return job

    def facts(self, task: Task) -> Record:
        """Return the facts of a task's record that do not depend on the computer, without its artefact's digest."""
        found = code.code_of(task.step, task.settings)  # no plan was written that a job could look it up in
        return {
            "step": task.step,
            "settings": task.settings,
            "inputs": {role: [self.link(file) for file in files] for role, files in task.roles.items()},
            "code": found.digest,
            "definitions": found.definitions,
            "packages": found.packages,
        }

    def elsewhere(self, task: Task) -> list[str]:
        """Return in what an artefact was made otherwise than here, as its record says: cpu, device, code, ..."""
        record, here = sidecar_files.read_sidecar(self.folder / task.output), self.job(task).computer
        facts = [name for name in OF_COMPUTER if record.get(name) != here.get(name)]
        other_code = record.get("code") != code.code_of(task.step, task.settings).digest
        return [*facts, "code"] if other_code else facts


def _fits(task: Task) -> bool:
    if task.step not in ("fit", "evaluate"):
        return False
    use = task.settings["component"]["use"]
    return use.split("/")[1] in PROBES if task.step == "evaluate" else registry.used(use).fit is not None

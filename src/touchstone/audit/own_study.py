"""Compute a sample of one's own finished study again, and build its report again, as verify does with a stranger's files."""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import chdir
from dataclasses import dataclass, field
from pathlib import Path

from threadpoolctl import threadpool_limits

from touchstone.audit.artefact_comparison import compare_artefact
from touchstone.audit.chain.findings import Finding
from touchstone.audit.problems import UNREADABLE, counted
from touchstone.audit.report_again import of_own_study, rebuild
from touchstone.digests import sha256
from touchstone.messages import first_line
from touchstone.pipeline.jobs import environment, run_records
from touchstone.pipeline.planning.parts import Task
from touchstone.pipeline.planning.plan import Plan
from touchstone.provenance import sidecar_files
from touchstone.records import encoding, metric_tables

SAMPLE = 2.0  # seconds of computing for the artefacts that are drawn by default
# Seconds of a task of each step, in `digits` on one core. They share out what a job took among its tasks.
USUAL = {"prepare": 0.2, "translate": 0.2, "infer": 0.1, "score": 0.1, "fit": 0.5, "evaluate": 2, "measure": 5, "attack": 5,
         "convert": 5, "train": 60}  # fmt: skip
BY_BYTES = ("train", "convert", "attack")  # a training or a search elsewhere may end anywhere


@dataclass
class Sample:
    """What was computed again.

    Attributes:
        exact: Artefacts that are equal to the last bit.
        close: Artefacts whose numbers are as close as those of another processor.
        findings: What is wrong with the others, or kept them from being computed.
    """

    exact: int = 0
    close: int = 0
    findings: list[Finding] = field(default_factory=list)


def check(
    plan: Plan,
    findings_so_far: list[Finding],
    render: bool,
    count: int | None,
    seed: int,
    root: Path = Path(),
    rebuilt: Callable[[], list[Finding]] | None = None,
) -> list[Finding]:
    """Build the report again, compute random artefacts again, and return what differs.

    Artefacts that are wrong already are skipped. So are downloads, which are checked by their digests.

    Args:
        plan: The plan of the study.
        findings_so_far: What the audit has reported.
        render: Whether to build the report again.
        count: How many other artefacts to compute again; None for as many as take a few seconds.
        seed: The random seed that selects them.
        root: The project's folder.
        rebuilt: Waits for a report that is built again already, as `report_again.begun` yields it.
    """
    wrong = {finding.file for finding in findings_so_far}
    page = plan.layout.page
    possible = [file for file, task in sorted(plan.tasks.items()) if task.step not in ("fetch", "report")]
    whole = [file for file in possible if file not in wrong and (root / file).exists()]
    seconds = expected_seconds(plan, root / "logs" / plan.study.name)
    drawn = draw(whole, seconds, count, seed)
    findings: list[Finding] = []
    differ: list[Finding] = []
    with tempfile.TemporaryDirectory(prefix="touchstone-audit-") as scratch:
        if drawn:
            expected = sum(seconds[file] for file in drawn)
            print(f"Computing {counted(len(drawn), 'artefact')} again, for about {expected:.0f} s", file=sys.stderr)
            started, again = time.monotonic(), OwnStudy(plan, root.resolve(), Path(scratch))
            sample = again.recompute(drawn)
            differ = sample.findings
            near = f", {sample.close:,} within what another processor changes" * bool(sample.close)
            print(
                f"{len(drawn):,} of {len(whole):,} artefacts were computed again, in {time.monotonic() - started:.0f} s;"
                f" {sample.exact:,} are equal to the last bit{near}; --seed {seed} selects the same",
                file=sys.stderr,
            )
        if render and page not in wrong and (root / page).exists():
            print("Rebuilding the report", file=sys.stderr)
            findings += rebuilt() if rebuilt else rebuild(plan, root.resolve(), Path(scratch))
        else:
            reason = "it is missing, or named above" if render else "--no-render"
            findings.append(Finding(page, f"was not rebuilt ({reason}), so it was not fully checked", unchecked=True))
    findings += differ
    if len(drawn) < (asked := min(count or 0, len(possible))):
        problem = f"{len(drawn):,} of {asked:,} artefacts were computed again; the others are missing, or named above"
        findings.append(Finding(plan.folder, problem, unchecked=True))
    return findings


def draw(files: list[str], seconds: dict[str, float], count: int | None, seed: int) -> list[str]:
    """Return random artefacts.

    Args:
        files: Those that can be drawn.
        seconds: How long each takes.
        count: How many; None for as many as take `SAMPLE` seconds together.
        seed: Of the order in which they are drawn.
    """
    order = random.Random(seed).sample(files, len(files))
    if count is not None:
        return order[:count]
    drawn, left = [], SAMPLE
    for file in order:
        if seconds[file] <= left:
            drawn.append(file)
            left -= seconds[file]
    return drawn


def expected_seconds(plan: Plan, logs: Path) -> dict[str, float]:
    """Return how long each artefact of a study probably takes: its share of what its job took here, or a usual time.

    Args:
        plan: The plan of the study.
        logs: The folder of its run records.
    """
    took: dict[tuple[str, str], float] = {}
    for record in run_records.read(logs):
        if record.get("computed") and "cpu_seconds" in record:
            took[record["rule"], record["name"]] = record["cpu_seconds"] / record["computed"]
    seconds: dict[str, float] = {}
    for key, job in plan.jobs.items():
        usual = {task.output: USUAL.get(task.step, 0.0) for task in job.tasks}
        mean = sum(usual.values()) / len(usual) or 1.0
        seconds |= {file: took.get(key, mean) * each / mean for file, each in usual.items()}
    return seconds


class OwnStudy:
    """A finished study in its project, of which files are computed again.

    Args:
        plan: The plan of the study.
        root: The project's folder, where all inputs lie.
        scratch: An empty folder, in which everything is computed.
    """

    def __init__(self, plan: Plan, root: Path, scratch: Path) -> None:
        self.plan, self.root, self.scratch = plan, root, scratch
        self.reader = of_own_study(plan, root, scratch)

    def recompute(self, files: list[str]) -> Sample:
        """Compute artefacts again and compare them with those in the project."""
        sample = Sample()
        tasks = [self.plan.tasks[file] for file in files]
        ready = False
        with chdir(self.scratch):  # trainings keep their unfinished states in the working folder
            for task in tasks:
                if task.runs_torch and not ready:
                    environment.set_up_torch(task.settings)
                    ready = True
                try:
                    with threadpool_limits(task.settings.get("threads", 1)):
                        self._compare(task, sample)
                except (*UNREADABLE, RuntimeError) as error:
                    problem = f"could not be recomputed: {first_line(error)}"
                    sample.findings.append(Finding(task.output, problem, unchecked=True))
        return sample

    def _compare(self, task: Task, sample: Sample) -> None:
        """Compare an artefact with its recomputation: bytes, or the numbers if it was made on another processor."""
        file, elsewhere = task.output, ", ".join(self.reader.elsewhere(task))
        where = f" in another environment ({elsewhere})" if elsewhere else ""
        if elsewhere and task.step not in BY_BYTES:
            try:
                exact = compare_artefact(self.reader, task).exact
            except ValueError as error:
                problem = f"recomputed{where}, it differs by more than that changes: {first_line(error)}"
                sample.findings.append(Finding(file, problem))
                return
            sample.exact += exact
            sample.close += not exact
        elif (digest := self._other_digest(task)) is None:
            sample.exact += 1
        else:
            stated = sidecar_files.read_sidecar(self.root / file)["artefact"]
            problem = f"recomputed{where}, its digest is {digest}, not {stated}"
            sample.findings.append(Finding(file, problem, unchecked=bool(elsewhere)))

    def _other_digest(self, task: Task) -> str | None:
        """Return the digest of the bytes that a task makes here; None if they are those in the project."""
        noun = self.reader.run(self.reader.job(task))
        data = metric_tables.encode(noun) if isinstance(noun, metric_tables.Metrics) else encoding.encode(noun)
        return None if data == (self.root / task.output).read_bytes() else sha256(data)

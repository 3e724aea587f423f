"""What more seeds and images of a number cost on this machine, from the run records of the jobs behind it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from touchstone.commands._row_inputs import RowInputs
from touchstone.pipeline.jobs import run_records
from touchstone.pipeline.planning.parts import Set
from touchstone.pipeline.planning.plan import Plan
from touchstone.provenance.job_folders import job_of
from touchstone.records.metric_tables import MetricRow

Job = tuple[str, str]  # a rule and the name of a job, or of what jobs of other seeds have in common


class Price(NamedTuple):
    """What one seed of a number takes, in seconds of jobs.

    Attributes:
        fixed: of jobs that do not grow with its images, such as training.
        per_images: of the jobs that do, with the present images.
    """

    fixed: float
    per_images: float

    def seconds(self, now: tuple[int, int], then: tuple[int, int]) -> float:
        """Return the additional seconds of a design. If images are added, every seed processes all images again.

        Args:
            now: the present seeds and images.
            then: those of the design.
        """
        more = then[0] - now[0]
        seen = more if then[1] == now[1] else then[0]
        return self.fixed * more + self.per_images * seen * then[1] / now[1]


@dataclass
class _Kind:
    """The jobs of one rule that differ by their networks' seeds only."""

    jobs: set[Job]
    seeds: set[int]
    grows: bool


class Prices:
    """The prices of a study's numbers."""

    def __init__(self, plan: Plan) -> None:
        self._inputs = RowInputs(plan)
        self._seconds = _recorded(Path("logs") / plan.study.name, plan)

    def of(self, row: MetricRow) -> Price | None:
        """Return the price of one more seed of a mean; None if a job behind it has no recorded time.

        A job that took artefacts from the store took no time worth recording.
        """
        try:
            kinds = self._kinds(row).values()
        except KeyError:  # the study's settings changed since its report
            return None
        fixed = growing = 0.0
        own = set[int | None](row.seeds) or {row.seed}  # a number of one network has no list of seeds
        for kind in kinds:
            if not own <= kind.seeds:  # these jobs are about a network that all seeds share, and need no repetition
                continue
            known = [self._seconds[job] for job in kind.jobs if job in self._seconds]
            if not known:
                return None
            per_seed = sum(known) / len(known) * len(kind.jobs) / len(kind.seeds)
            fixed, growing = (fixed, growing + per_seed) if kind.grows else (fixed + per_seed, growing)
        return Price(fixed, growing)

    def _kinds(self, row: MetricRow) -> dict[Job, _Kind]:
        """Return the jobs behind a number, by what they are without their seeds."""
        kinds, sets = dict[Job, _Kind](), set(self._inputs.sets(row))
        for path in self._inputs.behind(row):
            rule, name = job_of(path)
            entry, _, seed = name.rpartition(".")  # a job of translators is named after their seed
            kind = kinds.setdefault((rule, entry), _Kind(set(), set(), grows=False))
            kind.jobs.add((rule, name))
            kind.seeds |= {int(seed)} if seed.isdecimal() else set()
            kind.grows |= any(isinstance(part, Set) and part.examples in sets for part in self._inputs.about(path))
        return kinds


def _recorded(logs: Path, plan: Plan) -> dict[Job, float]:
    """Return the seconds of the jobs that computed all their artefacts themselves."""
    tasks = {(job.rule, job.name): len(job.tasks) for job in plan.jobs.values()}
    return {
        job: run_records.seconds(record)
        for record in run_records.read(logs)
        if (job := (record.get("rule"), record.get("name"))) in tasks
        and not record.get("failed", True)
        and record.get("computed") == tasks[job]
    }

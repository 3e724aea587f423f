"""Run a study without Snakemake: every job in its own process, after the jobs whose files it reads.

It serves installations without the workflow, on one machine. Jobs, files and sidecars are those of a run by Snakemake.

Every run starts every job. Most jobs keep current files, so an interrupted run continues where it stopped. Only the cheap
steps `fetch` and `report` create theirs again. Cores limit how many jobs run at a time; GPUs do not, so a
job may wait for one. The first failure ends all other jobs.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from graphlib import TopologicalSorter
from pathlib import Path

from touchstone import extras
from touchstone.messages import unguarded
from touchstone.pipeline.jobs import environment, processes, run_records, warm
from touchstone.pipeline.orchestration import locks, recovery, remarks
from touchstone.pipeline.planning.parts import Rule
from touchstone.pipeline.planning.plan import Plan
from touchstone.pipeline.planning.steps import STEPS
from touchstone.pipeline.provenance.addresses import files_of
from touchstone.pipeline.settings.study import load

LAST_LINES = 15  # shown from the end of a failed job's log
Node = tuple[Rule, tuple[tuple[str, str], ...]]  # a rule and its wildcards' values


def run(study: str, cores: str) -> int:
    """Run the jobs of a study, and end with one line about the report or about the failure.

    Without matplotlib and jinja2 there is no page: every number is computed, and the line says how to get the page.

    Args:
        study: the name of a study, or the path of its file.
        cores: "all", or a number.

    Returns:
        0, or 1 if a job failed.

    Raises:
        locks.Busy: another run is active in this folder.
        PermissionError: this folder is not writable.
    """
    plan = Plan(load(study))
    name = plan.study.name
    logs = Path("logs") / name
    recovery.check_writable(plan)
    with locks.claimed(), processes.leaving_at_sigterm():
        recovery.clear(plan, logs)
        (logs / run_records.LEAK).unlink(missing_ok=True)
        remarks.print_remarks(plan.study)
        return _Run(plan, study, logs).jobs(_at_once(cores, plan.study["study"]["threads"]))


def _at_once(cores: str, threads: int) -> int:
    """Return how many jobs may run at a time."""
    return max((processes.available_cores() if cores == "all" else int(cores)) // threads, 1)


def graph(plan: Plan, *, pages: bool) -> dict[Node, set[Node]]:
    """Return the jobs of a study, each with the jobs whose files it reads.

    Args:
        plan: of the study.
        pages: whether the job that writes the report is among them.
    """
    jobs = [(rule, tuple(wildcards.items())) for rule, wildcards in plan.jobs() if pages or rule.step != "report"]
    tasks = {job: plan.tasks(job[0], **dict(job[1])) for job in jobs}
    makers = {file: job for job in jobs for file in files_of(task.output for task in tasks[job])}
    return {
        job: {makers[file] for file in files_of(f for task in tasks[job] for f in task.input_files)} for job in jobs
    }


def _show(done: int, total: int) -> None:
    """Show on a terminal how many jobs are done; the last line is removed."""
    if sys.stderr.isatty():
        line = f"{done} of {total} jobs"
        print(f"\r{line if done < total else ' ' * len(line)}\r", end="", file=unguarded(sys.stderr), flush=True)


class _Run:
    """One run of a study."""

    def __init__(self, plan: Plan, study: str, logs: Path) -> None:
        self.plan, self.study, self.logs = plan, study, logs
        self.threads: int = plan.study["study"]["threads"]
        self.running: set[subprocess.Popen[bytes]] = set()
        self.starting, self.ended = threading.Lock(), False

    def jobs(self, at_once: int) -> int:
        """Run every job; return the exit code."""
        pages = extras.is_installed("reports")
        jobs = graph(self.plan, pages=pages)
        order, done, total = TopologicalSorter(jobs), 0, len(jobs)
        order.prepare()
        os.environ["PYTHONPATH"] = environment.python_path()  # jobs run the code that planned them
        environment.set_environment(self.threads)
        warm.start()
        failed: list[Node] = []
        futures: dict[Future[int], Node] = {}
        pool = ThreadPoolExecutor(at_once)
        try:
            while order.is_active() and not failed:
                for job in order.get_ready():
                    futures[pool.submit(self._job, job)] = job
                for future in wait(futures, return_when=FIRST_COMPLETED).done:
                    job = futures.pop(future)
                    failed += [job] if future.result() else []
                    order.done(job)
                    done += 1
                    _show(done, total)
        finally:
            pool.shutdown(cancel_futures=True, wait=False)
            self._end()
        if failed:
            self._print_failure(failed[0])
            return 1
        report = f"reports/{self.plan.study.name}/report.html"
        print(
            f"The report: {report}"
            if pages
            else f"For {report}: pip install '.[reports]' in the clone of touchstone, and run it again"
        )
        return 0

    def _log(self, job: Node) -> Path:
        rule, wildcards = job
        return self.logs / rule.name / f"{'_'.join(value for _, value in wildcards) or 'all'}.log"

    def _job(self, job: Node) -> int:
        """Run one job; return its exit code."""
        rule, wildcards = job
        log = self._log(job)
        log.parent.mkdir(parents=True, exist_ok=True)
        values = ",".join(f"{name}={value}" for name, value in wildcards)
        threads = self.threads if STEPS[rule.step].torch else 1
        with log.open("wb") as stream:
            with self.starting:  # after a failure a worker may still take the next job
                if self.ended:
                    return 1
                process = subprocess.Popen(
                    [sys.executable, "-m", "touchstone", "job", rule.name, values, f"--study={self.study}"],
                    env=os.environ | environment.environment(threads),
                    stdout=stream,
                    stderr=subprocess.STDOUT,
                )
                self.running.add(process)
            code = process.wait()
            self.running.discard(process)
        return code

    def _end(self) -> None:
        """End the jobs that still run after a failure or an interrupt, and start no other."""
        with self.starting:
            self.ended = True
        for process in list(self.running):
            with suppress(ProcessLookupError):
                process.terminate()
            process.wait()

    def _print_failure(self, job: Node) -> None:
        log = self._log(job)
        lines = log.read_text(errors="replace").strip().splitlines()[-LAST_LINES:]
        print("\n".join(lines), file=sys.stderr)
        print(f"touchstone: {job[0].name} failed, so the study did not finish; its log: {log}", file=sys.stderr)

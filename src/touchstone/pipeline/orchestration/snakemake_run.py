"""`touchstone run`: run Snakemake on a study, show its progress, and end with one line."""

from __future__ import annotations

import math
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

import yaml

from touchstone import extras
from touchstone.messages import say
from touchstone.numerics import devices
from touchstone.pipeline.jobs import gpus, processes, run_records
from touchstone.pipeline.jobs.progress import progress_folder
from touchstone.pipeline.orchestration import display, locks, own_data, recovery, shipped_studies
from touchstone.pipeline.orchestration.events import EventFile
from touchstone.pipeline.planning import apart
from touchstone.pipeline.planning.outline import kept_outline
from touchstone.pipeline.planning.plan import Plan
from touchstone.settings.files import DEFAULT_STUDY
from touchstone.settings.study import load

NOTHING = "Nothing to do: nothing has changed"
POLL = 0.3  # seconds
REMINDER = 5.0  # seconds between two reminders of what the run waits for
# Snakemake looks for jobs to start once in this time for every job that has ended. With its default, a second, that
# takes a tenth of a core after 200 jobs. It waits as long when it ends, so few jobs keep the default.
LOW_RATE, MANY_JOBS = ["--max-jobs-per-timespan", "400/4s"], 100
PATIENCE = 30.0  # seconds that Snakemake may take to end
FULL = 2**20  # bytes; a disk with less free space counts as full
LAST_LINES = 20  # shown from the end of Snakemake's log if it reports no error


class Terminated(Exception):
    """This process received a signal to end."""


def run(study: str, cores: str) -> int:
    """Run a study; end with one line about the report, or about the failure and its log.

    Args:
        study: The name of a shipped study, or the path of a study file.
        cores: "all", or a number.

    Returns:
        Snakemake's exit code; 3 if another run is active in this folder; 130 after an interrupt.
    """
    if not extras.is_installed("workflow"):
        raise ValueError(f"a study needs Snakemake: {extras.install('workflow')}")
    if new := shipped_studies.copy_here(study):
        print(f"Wrote {' and '.join(map(str, new))}: the study as touchstone ships it.")
    plan = Plan(load(study))
    own_data.check(plan.study)
    apart.check(plan.study)
    name = plan.study.name
    logs = Path("logs") / name
    recovery.check_writable(plan)
    try:
        with locks.claimed() as claim:
            recovery.clear(plan, logs)
            logs.mkdir(parents=True, exist_ok=True)
            for leftover in progress_folder(logs).glob("*.json"):
                leftover.unlink()
            device = plan.study["study"]["device"]
            for remark in filter(None, (devices.warning(device), *plan.study.remarks)):
                say(f"touchstone: {remark}", stream=sys.stderr)
            known = kept_outline(study) or plan  # planning would take as long as all that precedes it
            rate = LOW_RATE if len(known.jobs) > MANY_JOBS else []
            code = _run([*base_command(study, cores), *rate], logs, claim, device)
            if code > 128:
                recovery.clear(plan, logs)  # a job that ignored SIGTERM was killed and may leave half-written files
            return code
    except locks.Busy as error:
        return locks.report_busy(error)


def base_command(study: str, cores: str) -> list[str]:
    """Return Snakemake's command line for a study; it has the options of the default profile in any folder."""
    folder = shipped_studies.workflow_folder()
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(folder / "Snakefile"), "--cores", cores]
    return [*command, "--workflow-profile", str(folder.parent / "profiles/default"), *configuration(study)]


def _run(command: list[str], logs: Path, claim: locks.Claim, device: str) -> int:
    log, events = logs / "snakemake.log", EventFile(logs / "events.jsonl")
    command = [*command, "--nocolor", "--logger", "touchstone", "--logger-touchstone-events", str(events.path)]
    if device == "cuda":  # jobs on GPUs at a time; each claims one of them
        command += ["--resources", f"gpu={max(len(gpus.visible()), 1) * gpus.jobs_per_gpu()}"]
    if not extras.is_installed("reports"):  # every number is computed, without a page
        command += ["--until", "evaluate"]
    start = time.monotonic()
    with log.open("wb") as stream, _terminable():
        snakemake = subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT)
        try:
            claim.name_snakemake(snakemake.pid)
            interrupted = _follow_to_the_end(snakemake, events, logs)
        except Terminated:
            _tell("touchstone: terminated: ending the running jobs; the next run continues from there")
            _take_down(snakemake, logs)
            return 128 + signal.SIGTERM
        except Exception:  # this process cannot follow Snakemake any more, so it must not leave it behind
            _take_down(snakemake, logs)
            raise
    if snakemake.returncode < 0:
        processes.end(run_records.running(logs))  # no process waits for these jobs any more
        message = f"Snakemake was killed (signal {-snakemake.returncode}); the next run continues from there"
        print(f"touchstone: {message}. Its log: {log}", file=sys.stderr)
        return 128 + signal.SIGINT if interrupted else 128 - snakemake.returncode
    if interrupted and snakemake.returncode:
        return _conclude_interrupted(events)
    return _conclude(snakemake.returncode, log, events, time.monotonic() - start)


def configuration(study: str) -> list[str]:
    """Return Snakemake's arguments for a study.

    Snakemake strips quotes from both ends of a value and then parses it as YAML. So a path is quoted, with a space on
    both sides.
    """
    quoted = yaml.safe_dump(study, default_style='"', width=math.inf).strip()
    return ["--config", f"study= {quoted} "] if study != DEFAULT_STUDY else []


@contextmanager
def _terminable() -> Iterator[None]:
    """Raise Terminated inside the block on SIGTERM, or if the terminal is closed."""

    def stop(number: int, frame: FrameType | None) -> None:
        for each in before:
            signal.signal(each, signal.SIG_IGN)  # only the first signal counts
        raise Terminated

    heard = [each for each in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(each) != signal.SIG_IGN]  # nohup
    before = {each: signal.signal(each, stop) for each in heard}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _tell(message: str) -> None:
    """Print a line while Snakemake runs; if nobody reads it any more, go on: Snakemake must still be ended."""
    with suppress(OSError):
        print(message, file=sys.stderr, flush=True)


def _take_down(snakemake: subprocess.Popen[bytes], logs: Path) -> None:
    """End Snakemake and its jobs.

    Snakemake starts no new jobs, its jobs are ended, and it cleans up. If it has not ended after PATIENCE seconds, as on
    a very busy machine, it is killed. The next run then cleans up.
    """
    snakemake.terminate()
    deadline, reminder = time.monotonic() + PATIENCE, time.monotonic() + REMINDER
    while snakemake.poll() is None and time.monotonic() < deadline:
        jobs = run_records.running(logs)
        if time.monotonic() >= reminder:
            reminder += REMINDER
            subject = f"{len(jobs)} job{'s' * (len(jobs) != 1)}" if jobs else "Snakemake"
            _tell(f"touchstone: waiting for {subject} to end")
        processes.end(jobs)
        time.sleep(POLL)
    if snakemake.poll() is None:
        snakemake.kill()
        snakemake.wait()
        processes.end(run_records.running(logs))


def _follow_to_the_end(snakemake: subprocess.Popen[bytes], events: EventFile, logs: Path) -> bool:
    """Follow Snakemake until it ends; after an interrupt, until its running jobs have.

    Returns:
        Whether there was an interrupt.
    """
    try:
        _follow(snakemake, events, logs)
        return False
    except KeyboardInterrupt:
        _tell("\nStopping once the running jobs have finished (press Ctrl-C again to leave them).")
        snakemake.terminate()  # Ctrl-C reaches Snakemake, too; `kill -INT` of this process does not
        snakemake.wait()
        return True


def _follow(snakemake: subprocess.Popen[bytes], events: EventFile, logs: Path) -> None:
    """Show progress until Snakemake ends."""
    with display.shown(logs) as show:
        ended = False
        while not ended:
            ended = snakemake.poll() is not None
            state = events.read()
            show(state.done, state.total)
            if not ended:
                with suppress(subprocess.TimeoutExpired):
                    snakemake.wait(POLL)


def _conclude_interrupted(events: EventFile) -> int:
    """Print the last line of an interrupted run, after the jobs that failed; return the exit code."""
    state = events.read()
    if state.failures:
        display.print_failures(state)
    print("touchstone: interrupted; the next run continues from there", file=sys.stderr)
    return 128 + signal.SIGINT


def _where(study: str) -> str:
    """Return where the report is; without what draws it, that there is none of this run."""
    if extras.is_installed("reports"):
        return f"The report: reports/{study}/report.html"
    return (
        f"All numbers are in results/{study}, without a report, which needs more packages: {extras.install('reports')}"
    )


def _conclude(code: int, log: Path, events: EventFile, seconds: float) -> int:
    """Print the last line of a run, or why it failed; return the exit code."""
    state = events.read()
    if code == 0:
        result = f"{state.done} jobs in {seconds:.0f} s" if state.done else NOTHING
        print(f"{result}. {_where(log.parent.name)}")
        return 0
    if state.failures or state.errors:
        display.print_failures(state)
    else:  # it failed before it could log, for example because of a mistyped option
        print("\n".join(log.read_text(errors="replace").strip().splitlines()[-LAST_LINES:]), file=sys.stderr)
    if shutil.disk_usage(log.parent).free < FULL:  # no job could say so in its log
        print(f"touchstone: the disk of {log.parent} is full", file=sys.stderr)
    print(f"touchstone: the study did not finish; Snakemake's log: {log}", file=sys.stderr)
    return code

"""`touchstone run`: Snakemake on a study, with progress a person can read and one line at the end."""

from __future__ import annotations

import json
import math
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import yaml
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from touchstone.numerics import devices
from touchstone.pipeline.jobs import processes, run_records
from touchstone.pipeline.jobs.progress import progress_folder
from touchstone.pipeline.orchestration import freshness, recovery
from touchstone.pipeline.orchestration.restore import restore
from touchstone.pipeline.planning.plan import Plan
from touchstone.pipeline.settings.files import DEFAULT_STUDY
from touchstone.pipeline.settings.study import load

# Snakemake counts the rule `all` too, which does nothing and comes last.
STEPS_DONE = re.compile(r"^(\d+) of (\d+) steps", re.MULTILINE)
JOBS_TOTAL = re.compile(r"^total\s+(\d+)", re.MULTILINE)
FAILED_RULE = re.compile(r"^Error in rule (\S+?):(.*?)^    shell:", re.MULTILINE | re.DOTALL)
LOG_FILE = re.compile(r"^    log: (\S+)", re.MULTILINE)
# How Python tells that a command ended; above 128 a shell means a signal.
JOB_END = r" (?:died with <Signals\.\w+: (\d+)>|returned non-zero exit status (\d+))"
ENDS = {
    "SIGKILL": "was killed ({name}). Most likely the machine ran out of memory: use fewer cores, or a smaller batch_size",
    "SIGTERM": "was told to end from outside ({name})",
    **dict.fromkeys(("SIGSEGV", "SIGBUS", "SIGABRT", "SIGILL", "SIGFPE"), "crashed ({name})"),
}
NOTHING = "Nothing to do: nothing has changed"
POLL = 0.3  # seconds
TELLING = 5.0  # seconds between two words on what is waited for
LONGEST = 30.0  # seconds that a Snakemake which was told to end may take
PLAIN_INTERVAL = 5.0  # seconds between two lines where there is no terminal


class Stopped(Exception):
    """Somebody asked this process to end."""


def run(study: str, cores: str, lock: str = "keep") -> int:
    """Run a study and return Snakemake's exit code; ends with where the report is, or with what failed and its log.

    3 where another run is at work in this folder. What a killed run left behind is cleared away first. `lock` says what to
    do with files made under another requirements.lock: "keep" or "rerun".
    """
    plan = Plan(load(study))
    name = plan.study.name
    logs = Path("logs") / name
    try:
        recovery.check_writable(plan)
    except PermissionError:
        if _nothing_to_do(plan, cores, lock, write=False):
            return _tell_nothing(name)
        raise
    try:
        with recovery.claimed() as claim:
            recovery.clear(plan, logs)
            logs.mkdir(parents=True, exist_ok=True)
            for leftover in progress_folder(logs).glob("*.json"):
                leftover.unlink()
            if _nothing_to_do(plan, cores, lock):
                return _tell_nothing(name)
            if warning := devices.warning(plan.study["study"]["device"]):
                print(f"touchstone: {warning}", file=sys.stderr)
            code = _run(study, cores, lock, logs, claim)
            if code == 0:
                freshness.vouch(name)
            if code > 128:
                recovery.clear(plan, logs)  # a job that did not listen was ended in the middle of something
            return code
    except recovery.Busy as error:
        return told_busy(error)


def told_busy(error: recovery.Busy) -> int:
    """Say that another run works here; the exit code that stands for it."""
    print(f"touchstone: {error}; let it end, or end it, then run again", file=sys.stderr)
    return 3


def _nothing_to_do(plan: Plan, cores: str, lock: str, write: bool = True) -> bool:
    """Return whether Snakemake need not be started at all; tell what a person has to know of the files before it is.

    Snakemake restores too: this is the same, done before.
    """
    restored = restore(plan, lock=lock, write=write)
    for told in restored.told():
        print(f"touchstone: {told.replace('lock=rerun', 'LOCK=rerun')}", file=sys.stderr)
    able = freshness.vouched(plan.study.name) and freshness.enough(cores, plan.study["study"]["threads"])
    return able and freshness.nothing_to_do(plan, restored)


def _tell_nothing(name: str) -> int:
    print(f"{NOTHING}. The report: reports/{name}/report.html")
    return 0


def _run(study: str, cores: str, lock: str, logs: Path, claim: recovery.Claim) -> int:
    log = logs / "snakemake.log"
    command = [sys.executable, "-m", "snakemake", "--cores", cores, "--nocolor"]
    command += configuration(study, lock)
    start = time.monotonic()
    with log.open("wb") as stream, _stoppable():
        snakemake = subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT)
        claim.names(snakemake.pid)
        try:
            _follow(snakemake, log, logs)
        except KeyboardInterrupt:
            print("\nStopping: the jobs that run are let finish (press Ctrl-C again to leave them).", file=sys.stderr)
            snakemake.wait()
        except Stopped:
            print("touchstone: told to end: ending the jobs that run; the next run goes on from there", file=sys.stderr)
            _take_down(snakemake, logs)
            return 128 + signal.SIGTERM
    if snakemake.returncode < 0:
        processes.end(run_records.running(logs))  # nobody waits for these jobs any more
        told = f"Snakemake was killed (signal {-snakemake.returncode}); a new run goes on from there"
        print(f"touchstone: {told}. Its log: {log}", file=sys.stderr)
        return 128 - snakemake.returncode
    return _conclude(snakemake.returncode, log, f"reports/{logs.name}/report.html", time.monotonic() - start)


def configuration(study: str, lock: str = "keep") -> list[str]:
    """Return the arguments that give Snakemake a study, and what to do about its lock.

    Snakemake strips quotes from both ends of a value and then reads it as YAML: a path is quoted, with a space around it.
    """
    quoted = yaml.safe_dump(study, default_style='"', width=math.inf).strip()
    words = ([f"study= {quoted} "] if study != DEFAULT_STUDY else []) + ([f"lock={lock}"] if lock != "keep" else [])
    return ["--config", *words] if words else []


@contextmanager
def _stoppable() -> Iterator[None]:
    """Raise Stopped in the block when this process is asked to end, or its terminal is closed."""

    def stop(number: int, frame: FrameType | None) -> None:
        for each in before:
            signal.signal(each, signal.SIG_IGN)  # asked once is enough
        raise Stopped

    before = {each: signal.signal(each, stop) for each in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _take_down(snakemake: subprocess.Popen[bytes], logs: Path) -> None:
    """End a Snakemake and its jobs so that nothing is left behind: no new jobs, then the jobs, then its own clearing up.

    A Snakemake that does not end for LONGEST seconds, as on a machine that is very busy, is killed; the next run clears
    what it leaves.
    """
    snakemake.terminate()
    last, told = time.monotonic() + LONGEST, time.monotonic() + TELLING
    while snakemake.poll() is None and time.monotonic() < last:
        jobs = run_records.running(logs)
        if time.monotonic() >= told:
            told += TELLING
            what = f"{len(jobs)} job{'s' * (len(jobs) != 1)}" if jobs else "Snakemake"
            print(f"touchstone: waiting for {what} to end", file=sys.stderr, flush=True)
        processes.end(jobs)
        time.sleep(POLL)
    if snakemake.poll() is None:
        snakemake.kill()
        snakemake.wait()
        processes.end(run_records.running(logs))


def _follow(snakemake: subprocess.Popen[bytes], log: Path, logs: Path) -> None:
    """Show progress until Snakemake ends."""
    terminal = Console(stderr=True)
    with _bars(terminal, logs) if terminal.is_terminal else _lines() as show:
        while snakemake.poll() is None:
            show(*_count(log.read_text(errors="replace")))
            time.sleep(POLL)
        show(*_count(log.read_text(errors="replace")))


def _count(text: str) -> tuple[int, int]:
    """Return (jobs done, jobs in all) as `touchstone check` counts them, from Snakemake's words; (0, 0) while it plans."""
    if steps := STEPS_DONE.findall(text):
        done, total = int(steps[-1][0]), int(steps[-1][1]) - 1
        return min(done, total), total
    planned = JOBS_TOTAL.search(text)
    return 0, int(planned.group(1)) - 1 if planned else 0


@contextmanager
def _bars(terminal: Console, logs: Path) -> Iterator[Callable[[int, int], None]]:
    """One bar for all jobs, and one per running job that reports its own progress under logs/."""
    columns = (
        TextColumn("{task.description:<32}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=terminal, transient=True) as progress:
        jobs = progress.add_task("planning", total=None)
        running: dict[str, TaskID] = {}

        def show(done: int, total: int) -> None:
            if total:
                progress.update(jobs, description="jobs", completed=done, total=total)
            found = dict(_long_jobs(logs))
            for label in running.keys() - found.keys():
                progress.remove_task(running.pop(label))
            for label, (part, whole) in found.items():
                if label not in running:
                    running[label] = progress.add_task(f"  {label}", total=whole)
                progress.update(running[label], completed=part, total=whole)

        yield show


def _long_jobs(logs: Path) -> Iterator[tuple[str, tuple[int, int]]]:
    for path in sorted(progress_folder(logs).glob("*.json")):
        try:
            state = json.loads(path.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            continue  # it ended, or is being written, between the two lines
        yield state["label"], (state["done"], state["total"])


@contextmanager
def _lines() -> Iterator[Callable[[int, int], None]]:
    """One line every few seconds, for logs and pipes."""
    last, when, start = (0, 0), 0.0, time.monotonic()

    def show(done: int, total: int) -> None:
        nonlocal last, when
        if total and (done, total) != last and (done == total or time.monotonic() - when >= PLAIN_INTERVAL):
            last, when = (done, total), time.monotonic()
            print(f"{done} of {total} jobs done{_left(done, total, when - start)}", flush=True)

    yield show


def _left(done: int, total: int, seconds: float) -> str:
    """Return how long the rest may take if its jobs take as long as those before; nothing before a tenth is done."""
    if done == total or done < max(3, total / 10):
        return ""
    minutes = seconds / done * (total - done) / 60
    return f", about {minutes:.0f} min left" if minutes >= 1 else ", less than a minute left"


def _conclude(code: int, log: Path, report: str, seconds: float) -> int:
    text = log.read_text(errors="replace")
    if code == 0:
        done, _ = _count(text)
        what = f"{done} jobs in {seconds:.0f} s" if done else NOTHING
        print(f"{what}. The report: {report}")
        return 0
    failures = FAILED_RULE.findall(text)
    printed = set[str]()
    for rule, block in failures:
        match = LOG_FILE.search(block)
        job_log = match.group(1) if match else ""
        lines = []
        if Path(job_log).is_file():
            tail = Path(job_log).read_text(errors="replace").strip().splitlines()[-15:]
            lines = [*tail, f"(whole log: {job_log})" if tail else f"({job_log} is empty)"]
        if lines[:-1] and "\n".join(lines[:-1]) in printed:  # the same message from many jobs
            continue
        printed.add("\n".join(lines[:-1]))
        print(f"touchstone: the rule {rule} failed{_ended_by_signal(text, job_log)}", file=sys.stderr)
        if lines:
            print("\n".join(f"  {line}" for line in lines), file=sys.stderr)
    if not failures:
        print(_last_words(text), file=sys.stderr)
    print(f"touchstone: the study did not finish; Snakemake's log: {log}", file=sys.stderr)
    return code


def _ended_by_signal(text: str, job_log: str) -> str:
    """Return which signal ended the job with that log, in words; nothing if it failed by itself."""
    match = re.search(re.escape(f" 2> {job_log}'") + JOB_END, text)
    if match is None or (number := int(match.group(1) or int(match.group(2)) - 128)) <= 0:
        return ""
    name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
    return ": its job " + ENDS.get(name, "was ended by {name}").format(name=name)


def _last_words(text: str) -> str:
    """Return what Snakemake said, without its greeting."""
    return "\n".join(line for line in text.strip().splitlines()[-20:] if not line.startswith(("host:", "Using ")))

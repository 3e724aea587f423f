"""The display of a run: bars on a terminal, lines in a log, and failed jobs."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from touchstone.messages import printable, say, time_left, unguarded
from touchstone.pipeline.jobs.progress import progress_folder
from touchstone.pipeline.orchestration.events import RunState

if TYPE_CHECKING:  # rich is in the extra `workflow`, whose absence `touchstone run` explains
    from rich.console import Console
    from rich.progress import TaskID

INTERVAL = 5.0  # seconds between two lines
LOG_LINES = 15  # lines shown from the end of a failed job's log
ENDS = {
    "SIGKILL": "was killed ({name}). Most likely the machine ran out of memory: use fewer cores, or a smaller batch_size",
    "SIGTERM": "was terminated from outside ({name})",
    **dict.fromkeys(("SIGSEGV", "SIGBUS", "SIGABRT", "SIGILL", "SIGFPE"), "crashed ({name})"),
}

Show = Callable[[int, int], None]  # show(finished jobs, all jobs)


@contextmanager
def shown(logs: Path) -> Iterator[Show]:
    """Yield a function that shows progress.

    It draws bars if stderr is a terminal, and prints lines on stdout if not.
    """
    from rich.console import Console

    terminal = Console(file=unguarded(sys.stderr))
    if not terminal.is_terminal:
        yield Lines(sys.stdout).show
        return
    with _bars(terminal, logs) as show:
        yield show


@contextmanager
def _bars(terminal: Console, logs: Path) -> Iterator[Show]:
    """Show one bar for all jobs, and one per running job that reports its progress."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description:<32}", markup=False),
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
            reported = dict(long_jobs(logs))
            for label in running.keys() - reported.keys():
                progress.remove_task(running.pop(label))
            for label, (part, whole) in reported.items():
                if label not in running:
                    running[label] = progress.add_task(f"  {printable(label)}", total=whole)
                progress.update(running[label], completed=part, total=whole)

        yield show


def long_jobs(logs: Path) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield (label, (done, total)) of each running job that reports its progress."""
    for path in sorted(progress_folder(logs).glob("*.json")):
        try:
            state = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            continue  # the job has just ended, or is writing the file
        yield state["label"], (state["done"], state["total"])


class Lines:
    """Print a line every few seconds, for logs and pipes."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._start = time.monotonic()
        self._last, self._when = (0, 0), 0.0

    def show(self, done: int, total: int) -> None:
        """Print how many jobs are done, if that number changed.

        At most one line is printed per INTERVAL, and always one for the last job.
        """
        now = time.monotonic()
        if total and (done, total) != self._last and (done == total or now - self._when >= INTERVAL):
            self._last, self._when = (done, total), now
            line = f"{done} of {total} jobs done{time_left(done, total, now - self._start)}"
            with suppress(OSError):  # nobody reads it any more, or the disk of a log is full: the run goes on
                print(line, file=self._stream, flush=True)


def print_failures(state: RunState) -> None:
    """Print each failed rule with the end of its log.

    If no job failed, print Snakemake's error messages.
    """
    printed = set[str]()
    for failure in state.failures:
        tail = _tail(failure.log)
        text = "\n".join(f"  {printable(line)}" for line in tail)
        if tail and text in printed:  # many jobs failed with the same message
            continue
        printed.add(text)
        name = state.signal_of(failure)
        end = ": its job " + ENDS.get(name, "was ended by {name}").format(name=name) if name else ""
        print(f"touchstone: the rule {failure.rule} failed{end}", file=sys.stderr)
        if Path(failure.log).is_file():
            print(f"{text}\n  (whole log: {failure.log})" if tail else f"  ({failure.log} is empty)", file=sys.stderr)
    if not state.failures:
        say(*(line for error in state.errors for line in error.split("\n")), stream=sys.stderr)


def _tail(log: str) -> list[str]:
    """Return the last lines of a log file; an empty list if the file does not exist."""
    return Path(log).read_text(errors="replace").strip().splitlines()[-LOG_LINES:] if Path(log).is_file() else []

"""What a verification says: problems, each with the check that caught it, and what was proved or taken on trust."""

from __future__ import annotations

import csv
import errno
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from touchstone.messages import first_line
from touchstone.pipeline.jobs.job_plan import JobError
from touchstone.records.encoding import NOT_WHOLE
from touchstone.records.nouns import LeftOutError

# The checks, in the order in which they are made.
BYTES, SETTINGS, CHAIN, PLAN, SPLITS = "bytes", "settings", "chain", "plan", "splits"
BUDGET, RECOMPUTATION, CRITERIA, ROOT = "budget", "recomputation", "criteria", "root"
CHALLENGE, DATA = "challenge", "data"
# What a machine raises that lacks memory, space or open files, or whose disk fails.
LACKING = {errno.ENOMEM, errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.EIO}
TORCH_ALLOCATOR = "[enforce fail at alloc_cpu.cpp"
# What forged data makes readers raise; AttributeError, where a file holds text in place of an array.
UNREADABLE = (*NOT_WHOLE, JobError, LeftOutError, OSError, AssertionError, StopIteration, csv.Error)


@dataclass(frozen=True, order=True)
class Problem:
    """Something that a pack states and that is not so.

    Attributes:
        check: What caught it: one of the checks above.
        file: The artefact, page or claim that it is about.
        message: What is wrong.
    """

    check: str
    file: str
    message: str

    def __str__(self) -> str:
        return f"{self.check}: {self.file}: {self.message}"


@dataclass
class Result:
    """Everything that a verification says about one pack.

    Attributes:
        evidence: The digest of its manifest.
        problems: What is not so.
        unchecked: What could not be checked, in sentences.
        proved: What was recomputed or compared, in sentences.
        trusted: What no computation here can prove, in sentences.
        challenged: What was attacked again, in sentences: how many images, and what that would have noticed.
        verdicts: (claim, the verdict that was recomputed).
        seconds: How long it took.
    """

    evidence: str = ""
    problems: list[Problem] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)
    proved: list[str] = field(default_factory=list)
    trusted: list[str] = field(default_factory=list)
    challenged: list[str] = field(default_factory=list)
    verdicts: list[tuple[str, str]] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, check: str, file: str, message: str) -> None:
        """Add a problem."""
        self.problems.append(Problem(check, file, message))

    @contextmanager
    def reading(self, check: str, file: str, what: str) -> Iterator[None]:
        """Turn whatever forged data makes a reader raise into a problem, and a lack of memory, files or space into a gap.

        Args:
            check: The check that reads.
            file: What it reads.
            what: What cannot be done with it, such as "cannot be recomputed".
        """
        try:
            yield
        except UNREADABLE as error:
            if _of_this_machine(error):
                self.unchecked.append(f"{file}: this machine could not check it ({first_line(error)})")
            else:
                self.add(check, file, f"{what}: {first_line(error)}")


def _of_this_machine(error: BaseException) -> bool:
    """Return whether an error is about this machine's memory, disk or limits, and not about what was read."""
    return any(map(_lacks, (error, error.__cause__, error.__context__)))


def _lacks(error: BaseException | None) -> bool:
    """Return whether an error says that memory, space or files ran out; words of a forger in its message do not count."""
    import torch

    if isinstance(error, OSError):
        return error.errno in LACKING
    # torch says so of the processor's memory by a RuntimeError, whose message starts with the place in its source.
    of_torch = type(error) is RuntimeError and str(error).startswith(TORCH_ALLOCATOR)
    return of_torch or isinstance(error, MemoryError | torch.OutOfMemoryError)


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: "1 file", "1,200 files"."""
    return f"{number:,} {noun}{'s' if number != 1 else ''}"

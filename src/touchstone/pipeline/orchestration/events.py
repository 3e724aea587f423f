"""The state of a Snakemake run, from the events that the logger plugin writes."""

from __future__ import annotations

import json
import re
import signal
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# How Python describes a failed command; Snakemake reports an exit status only in this text. Above 128 a shell means a
# signal.
COMMAND_END = r" (?:died with <Signals\.\w+: (\d+)>|returned non-zero exit status (\d+))"


@dataclass(frozen=True)
class Failure:
    """A failed job: its rule, and its log file ("" if it has none)."""

    rule: str
    log: str


@dataclass
class RunState:
    """The state of a run after the events so far.

    Attributes:
        done: finished jobs.
        total: all jobs; 0 while Snakemake plans.
        failures: each failed job once.
        errors: Snakemake's error messages.
    """

    done: int = 0
    total: int = 0
    failures: list[Failure] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def add(self, event: dict[str, Any]) -> None:
        """Update the state with one event."""
        if "planned" in event:
            self.total = event["planned"]
        elif "done" in event:
            self.done, self.total = event["done"], event["total"]
        elif "failed" in event:
            failure = Failure(event["failed"], event["log"])
            if failure not in self.failures:  # at its end Snakemake reports each again
                self.failures.append(failure)
        elif "error" in event:
            self.errors.append(event["error"])

    def signal_of(self, failure: Failure) -> str | None:
        """Return the signal that ended a failed job; None if it failed by itself."""
        end = re.compile(re.escape(f" > {failure.log} 2>&1'") + COMMAND_END)
        for match in filter(None, map(end.search, self.errors)):
            number = int(match.group(1) or int(match.group(2)) - 128)
            if number > 0:
                return signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
        return None


class EventFile:
    """A growing file of events; each reading continues where the last one stopped."""

    def __init__(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        path.touch()
        self.path = path
        self.state = RunState()
        self._position = 0

    def read(self) -> RunState:
        """Read the new events and return the state.

        An incomplete last line is read later. A line that is no JSON, as a full disk leaves, is skipped.
        """
        with self.path.open("rb") as stream:
            stream.seek(self._position)
            for line in stream:
                if not line.endswith(b"\n"):
                    break
                self._position += len(line)
                with suppress(ValueError):
                    self.state.add(json.loads(line))
        return self.state

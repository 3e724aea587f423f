"""Snakemake's logger plugin of touchstone: `snakemake --logger touchstone` prints what `touchstone run` prints.

`touchstone run` gives it a file for its events and shows them itself, so that a killed Snakemake leaves a clean terminal.
Every Snakemake imports its plugins when it starts, so this file imports little.
"""

from __future__ import annotations

import json
import logging
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent
from snakemake_interface_logger_plugins.settings import LogHandlerSettingsBase


@dataclass
class LogHandlerSettings(LogHandlerSettingsBase):
    """The options of the plugin; the field `events` is `--logger-touchstone-events`."""

    events: Path | None = field(
        default=None,
        metadata={"help": "Append events to this file, a JSON object per line, and print nothing.", "type": Path},
    )


class LogHandler(LogHandlerBase):
    """Write events to a file if one is given; if not, print progress and failures to stderr."""

    def __post_init__(self) -> None:
        """Start the display, unless the events go to a file."""
        logging.Handler.__init__(self)  # version 1 of the interface (Snakemake 9.3) leaves it to the plugin
        self._file = self.settings.events if isinstance(self.settings, LogHandlerSettings) else None
        if self._file is None:
            from touchstone.pipeline.orchestration import display, events

            self._state, self._show = events.RunState(), display.Lines(sys.stderr).show
            self._print_failures = display.print_failures

    def emit(self, record: logging.LogRecord) -> None:
        """Take one record of Snakemake."""
        event = event_of(record)
        if self._file is not None:
            if event:
                with self._file.open("a", encoding="utf-8") as stream:
                    print(json.dumps(event), file=stream)
            return
        if event:
            self._state.add(event)
            self._show(self._state.done, self._state.total)
        elif record.levelno >= logging.WARNING:
            print(self.format(record), file=sys.stderr, flush=True)

    def close(self) -> None:
        """Print why jobs failed, unless the events went to a file."""
        if self._file is None and (self._state.errors or self._state.failures):
            self._print_failures(self._state)
            self._state.errors, self._state.failures = [], []  # logging closes its handlers again at exit
        super().close()

    @property
    def writes_to_stream(self) -> bool:
        """Whether this handler replaces Snakemake's own text."""
        return self._file is None

    @property
    def writes_to_file(self) -> bool:
        """Whether Snakemake should name the file as its log: events are not for people."""
        return False

    @property
    def has_filter(self) -> bool:
        """Whether `emit` chooses among the records itself."""
        return True

    @property
    def has_formatter(self) -> bool:
        """Whether records are formatted here: warnings take Snakemake's formatter."""
        return False

    @property
    def needs_rulegraph(self) -> bool:
        """Whether Snakemake should send the graph of rules."""
        return False


def event_of(record: logging.LogRecord) -> dict[str, Any] | None:
    """Return what a record says of the run; None for records that do not matter to it.

    Returns:
        One of {"planned": jobs}, {"done": jobs, "total": jobs}, {"failed": rule, "log": its log file or ""} and
        {"error": text}. Counts leave out the rule `all`, which does nothing and comes last.
    """
    kind = getattr(record, "event", None)
    if kind == LogEvent.RUN_INFO:
        return {"planned": max(record.__dict__["stats"]["total"] - 1, 0)}
    if kind == LogEvent.PROGRESS:
        total = record.__dict__["total"] - 1
        return {"done": min(record.__dict__["done"], total), "total": total}
    if kind == LogEvent.JOB_ERROR:
        log = record.__dict__["log"]
        return {"failed": record.__dict__["rule_name"], "log": str(log[0]) if log else ""}
    if kind == LogEvent.ERROR or (kind is None and record.levelno >= logging.ERROR):
        return {"error": record.getMessage()}
    return None

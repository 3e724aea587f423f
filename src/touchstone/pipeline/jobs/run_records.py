"""Run records: when, where, by which process and at what cost a job ran.

They are in logs/. They enter no digest and are no inputs of a job.
"""

from __future__ import annotations

import json
import platform
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

import touchstone
from touchstone.pipeline.jobs import processes
from touchstone.pipeline.jobs.job_plan import JobPlan
from touchstone.provenance import git, whole_files

FOLDER = "runs"
PAGE = "page"  # of a report's record: its digest
STARTED = {"rule", "name", "start", "host", "process"}  # what a record says from its start on
PACKAGES = (
    "torch",
    "numpy",
    "scipy",
    "scikit-learn",
    "scikit-image",
    "pandas",
    "safetensors",
    "snakemake",
)


@contextmanager
def recorded(logs: Path, plan: JobPlan) -> Iterator[dict[str, Any]]:
    """Write a job's run record before and after the block; yield it for more facts.

    The record of a job that kill -9 ended has no `end`.
    """
    path = logs / FOLDER / plan.rule / f"{plan.name}.json"
    before = _earlier(path)
    process = processes.this_process()
    record: dict[str, Any] = {
        "rule": plan.rule,
        "name": plan.name,
        "start": _now(),
        "host": socket.gethostname(),
        "process": {"pid": process.pid, "start": process.start, "command": list(process.command)},
        **_commit(Path.cwd()),
        "agent": _agent(Path.cwd()),
        "versions": {"python": platform.python_version(), **_versions()},
        "machine": platform.platform(),
    }
    whole_files.write_whole(path, _encoded(record), lasting=False)
    try:
        yield record
        record["failed"] = False
    finally:
        record.setdefault("failed", True)
        ended = record | {"end": _now(), **_used()}
        most = max(fullest(ended), before, key=lambda one: one.get("computed", 0))
        ended |= {"fullest": most} if most else {}
        whole_files.write_or_warn(path, _encoded(ended), "Only this record of the job is incomplete.")


def fullest(record: dict[str, Any]) -> dict[str, Any]:
    """Return how many files a job computed when it computed most here, and in how many seconds; {} if it never did.

    Most runs take most results from the store, and then say nothing of what a job costs.
    """
    if isinstance(most := record.get("fullest"), dict):
        return most
    return {key: record[key] for key in ("computed", "cpu_seconds")} if record.get("computed") else {}


def _earlier(path: Path) -> dict[str, Any]:
    """Return what `fullest` says of the record before; {} without one, or if it is damaged."""
    with suppress(OSError, ValueError):
        record = json.loads(path.read_text(encoding="utf-8"))
        return fullest(record) if isinstance(record, dict) else {}
    return {}


def page_of(logs: Path, study: str) -> str | None:
    """Return the digest of the report that a study's last run here made; None if no record says it."""
    with suppress(OSError, ValueError):
        record = json.loads((logs / FOLDER / "report" / f"{study}.json").read_text(encoding="utf-8"))
        return record.get(PAGE) if isinstance(record, dict) and not record.get("failed") else None
    return None


def _encoded(record: dict[str, Any]) -> bytes:
    return json.dumps(record, indent=1).encode()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _used() -> dict[str, float]:
    return {"cpu_seconds": round(time.process_time(), 3), "peak_bytes": _peak_bytes()}


def _peak_bytes() -> int:
    if sys.platform == "win32":
        return int(psutil.Process().memory_info().peak_wset)
    import resource

    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


@cache
def _commit(folder: Path) -> dict[str, Any]:
    """Return the commit of a folder, and whether tracked files differ; None without git."""
    commit = git.output(folder, "rev-parse", "HEAD")
    if commit is None:
        return {"commit": None, "dirty": None}
    # Without git's lock, because a commit that the user makes at that moment would fail.
    changed = git.output(folder, "--no-optional-locks", "status", "--porcelain", "-uno")
    return {"commit": commit.decode().strip(), "dirty": bool(changed)}


@cache
def _agent(folder: Path) -> str | None:
    """Return who runs the job, by the name that git knows; None without."""
    name = git.output(folder, "config", "user.name") or b""
    return name.decode(errors="replace").strip() or None


@cache
def _versions() -> dict[str, str]:
    versions = {"touchstone": touchstone.__version__}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def seconds(record: dict[str, Any]) -> float:
    """Return how long a finished job took, from its record."""
    return (datetime.fromisoformat(record["end"]) - datetime.fromisoformat(record["start"])).total_seconds()


def read(logs: Path) -> list[dict[str, Any]]:
    """Return a study's run records without damaged ones, sorted by rule and wildcards."""
    records = []
    for path in sorted((logs / FOLDER).rglob("*.json")):
        with suppress(OSError, ValueError):
            records.append(json.loads(path.read_text(encoding="utf-8")))
    return [record for record in records if isinstance(record, dict) and record.keys() >= STARTED]


def running(logs: Path) -> list[processes.Process]:
    """Return the processes of a study's running jobs on this machine."""
    here = socket.gethostname()
    started = [record["process"] for record in read(logs) if "end" not in record and record["host"] == here]
    jobs = [processes.Process(each["pid"], each["start"], tuple(each["command"])) for each in started]
    return [process for process in jobs if processes.is_alive(process)]

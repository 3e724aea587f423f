"""Compute artefacts of a finished study again, in a temporary folder, and compare their bytes."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from html import unescape
from itertools import takewhile, zip_longest
from pathlib import Path
from typing import Any

from touchstone.pipeline.auditing.findings import Finding
from touchstone.pipeline.jobs import environment, warm
from touchstone.pipeline.planning.parts import Task
from touchstone.pipeline.planning.plan import Plan
from touchstone.pipeline.provenance import sidecar_files
from touchstone.pipeline.provenance.job_folders import folder_of, job_of, split
from touchstone.report import packing

OF_THE_JOB = {
    "artefact",
    "step",
    "settings",
    "inputs",
    "code",
    "definitions",
    "pages",
}  # the rest describes its environment
WIDTH = 60  # characters of text shown of a difference
RULE = "audit"  # of the jobs that an audit runs


class Failed(Exception):
    """An artefact could not be computed again; the message is the reason."""


def of_study(
    plan: Plan, findings_so_far: list[Finding], render: bool, count: int, seed: int, root: Path = Path()
) -> list[Finding]:
    """Build the report again, compute random artefacts again, and return what differs.

    Artefacts that are wrong already are skipped. So are downloads, which are checked by their digests.

    Args:
        plan: The plan of the study.
        findings_so_far: What the audit has reported.
        render: Whether to build the report again.
        count: How many other artefacts to compute again.
        seed: The random seed that selects them.
        root: The project's folder.
    """
    wrong = {finding.file for finding in findings_so_far}
    page = plan.layout.page
    possible = [file for file, task in sorted(plan.tasks.items()) if task.step not in ("fetch", "report")]
    whole = [file for file in possible if file not in wrong and (root / file).exists()]
    drawn = random.Random(seed).sample(whole, min(count, len(whole)))
    chosen = [page, *drawn] if render and page not in wrong and (root / page).exists() else drawn
    findings = []
    if page not in chosen:
        reason = "it is missing, or named above" if render else "--no-render"
        findings.append(Finding(page, f"was not rebuilt ({reason}), so it was not fully checked", unchecked=True))
    if chosen:
        with tempfile.TemporaryDirectory(prefix="touchstone-audit-") as folder:
            again = Recomputation(plan, Path(folder), root)
            for file in chosen:
                print("Rebuilding the report" if file == page else f"Computing {file}", file=sys.stderr)
                findings += again.differences(file)
    if len(drawn) < min(count, len(possible)):
        problem = f"{len(drawn)} of {count} artefacts were computed again; the others are missing, or named above"
        findings.append(Finding(plan.folder, problem, unchecked=True))
    if count:
        said = f"{len(drawn)} of {len(whole)} artefacts were computed again; --seed {seed} selects the same"
        print(said, file=sys.stderr)
    return findings


class Recomputation:
    """Computes artefacts of a study again. A job does it, from a plan of its own, that has an empty store.

    Args:
        plan: The plan of the study.
        scratch: An empty folder for plans, store and results.
        root: The project's folder, where the job finds what it reads.
    """

    def __init__(self, plan: Plan, scratch: Path, root: Path) -> None:
        self.plan, self.scratch, self.root = plan, scratch, root.resolve()
        self._plans = scratch / "plan"
        self._written = plan.write(folder=self._plans)

    def differences(self, file: str) -> Iterator[Finding]:
        """Compute an artefact again, and yield what differs from the one in the project."""
        try:
            again = self._compute(self.plan.tasks[file])
            before, after = sidecar_files.read_sidecar(self.root / file), sidecar_files.read_sidecar(again)
            yield from _compared(file, before, after, self.root / file, again)
        except (Failed, ValueError) as error:
            yield Finding(file, f"could not be recomputed: {error}", unchecked=True)

    def _compute(self, task: Task) -> Path:
        """Run a job that has one task; return the path of what it made."""
        rule, name = job_of(task.output)
        content = json.loads((self._plans / f"{self._written[rule, name]}.json").read_text())
        content["tasks"] = [one for one in content["tasks"] if one["output"] == task.output]
        place = split(task.output)
        if place is None:  # the report
            output = again = self.scratch / task.output
        else:  # it may read what its own job has made
            content["inputs"].append(f"{rule}/{name}")
            content |= {"rule": RULE, "name": "again"}
            output = self.scratch / folder_of(self.plan.study.name, f"{RULE}/again")
            again = output / place[1]
        (self._plans / f"{RULE}.json").write_text(json.dumps(content))
        inputs = [self.root / folder_of(self.plan.study.name, job) for job in content["inputs"]]
        command = [sys.executable, "-m", "touchstone", "job", RULE, "--input", *map(str, inputs)]
        command += ["--output", str(output), "--threads", str(task.settings.get("threads", 1))]
        done = subprocess.run(command, cwd=self.scratch, env=self._environment(), capture_output=True, text=True)
        if done.returncode:
            raise Failed((done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1])
        return again

    def _environment(self) -> dict[str, str]:
        own = {
            warm.VARIABLE: warm.OFF,
            "PYTHONPATH": environment.python_path(),
            "PYTHONDONTWRITEBYTECODE": "1",  # nothing is written beside the user's plugins
        }
        return os.environ | environment.places(self._plans, self.scratch / "store") | own


def _compared(file: str, before: dict[str, Any], after: dict[str, Any], here: Path, again: Path) -> Iterator[Finding]:
    """Yield how an artefact differs and, if it is a report, its pages.

    In another environment a difference proves nothing, so the finding is marked as unchecked.
    """
    environment = sorted(
        name for name in (before.keys() | after.keys()) - OF_THE_JOB if before.get(name) != after.get(name)
    )
    where = f" in another environment ({', '.join(environment)})" if environment else ""
    count = 0
    for page in sorted({*before.get("pages", ()), *after.get("pages", ())}):
        first, second = (_read(path.parent / page) for path in (here, again))
        if first != second:
            count += 1
            problem = f"is not what the chain gives{where}: {_difference(page, first, second)}"
            yield Finding((Path(file).parent / page).as_posix(), problem, bool(environment))
    if not count and before["artefact"] != after["artefact"]:
        count += 1
        problem = f"recomputed{where}, its digest is {after['artefact']}, not {before['artefact']}"
        yield Finding(file, problem, bool(environment))
    others = sorted(name for name in OF_THE_JOB - {"artefact", "pages"} if before.get(name) != after.get(name))
    if not count and others:
        yield Finding(file, f"its sidecar is not what the job writes: {', '.join(others)}")


def _read(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""


def _difference(page: str, before: bytes, after: bytes) -> str:
    """Describe where two versions of a page first differ."""
    if not before or not after:
        return "it is missing" if after else "no such page"
    try:
        lines = [_text(page, data).splitlines() for data in (before, after)]
    except ValueError as error:
        return f"it cannot be read ({error})"
    for number, (first, second) in enumerate(zip_longest(*lines, fillvalue=""), 1):
        if first != second:
            texts = [unescape(re.sub("<[^>]*>", "", line)) for line in (first, second)]
            texts = texts if texts[0] != texts[1] else [first, second]
            equal = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(*texts, strict=False)))
            start = max(0, equal - WIDTH // 2)
            first, second = (line[start : start + WIDTH] for line in texts)
            return f'line {number} says "{first}", the chain "{second}"'
    return "its bytes differ"


def _text(page: str, data: bytes) -> str:
    """Return a page as text, with its packed parts; ValueError if it cannot be read."""
    if page.endswith(".gz"):
        return packing.decompressed(data).decode()
    if page.endswith((".pdf", ".png")):
        return ""
    return packing.unpacked(data.decode()) if page.endswith(".html") else data.decode()

"""Rerun jobs of a finished study in a scratch folder, and compare their outputs."""

from __future__ import annotations

import gzip
import os
import random
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from itertools import takewhile, zip_longest
from pathlib import Path
from typing import Any

from touchstone import parsed_files
from touchstone.pipeline.auditing.findings import Finding
from touchstone.pipeline.jobs import warm
from touchstone.pipeline.jobs.environment import python_path
from touchstone.pipeline.planning.parts import Rule
from touchstone.pipeline.planning.plan import Plan
from touchstone.pipeline.provenance import cache, sidecar_files
from touchstone.pipeline.provenance.addresses import files_of
from touchstone.report import packing

OF_THE_JOB = {
    "artefact",
    "step",
    "settings",
    "inputs",
    "code",
    "files",
    "pages",
}  # the rest describes its environment
WIDTH = 60  # characters of text shown of a difference


class Failed(Exception):
    """A job could not be rerun; the message is the reason."""


def of_jobs(
    study: str, plan: Plan, findings_so_far: list[Finding], render: bool, count: int, seed: int, root: Path = Path()
) -> list[Finding]:
    """Rebuild the report, rerun random jobs, and return what differs.

    Jobs whose files are wrong already are skipped. So are fetches, whose files are checked by their digests.

    Args:
        study: The name of a study, or the path of its file.
        plan: The plan of that study.
        findings_so_far: What the audit has reported.
        render: Whether to rebuild the report.
        count: How many other jobs to rerun.
        seed: The random seed that selects these jobs.
        root: The project's folder.
    """
    wrong = {finding.file for finding in findings_so_far}

    def whole(rule: Rule, wildcards: dict[str, str]) -> bool:
        outputs = [task.output for task in plan.tasks(rule, **wildcards)]
        files = files_of(outputs)
        return not wrong & {*outputs, *files} and all((root / file).exists() for file in files)

    jobs = [job for job in plan.jobs() if job[0].step != "fetch" and whole(*job)]
    report = [job for job in jobs if render and job[0].step == "report"]
    others = [job for job in jobs if job[0].step != "report"]
    drawn = random.Random(seed).sample(others, min(count, len(others)))
    possible = sum(rule.step not in ("fetch", "report") for rule, _ in plan.jobs())
    findings = []
    if report:
        print("Rebuilding the report", file=sys.stderr)
    else:
        reason = "it is missing, or named above" if render else "--no-render"
        file = f"reports/{plan.study.name}/report.html"
        findings.append(Finding(file, f"was not rebuilt ({reason}), so it was not fully checked", unchecked=True))
    for rule, wildcards in report + drawn:
        if rule.step != "report":
            print(f"Rerunning {rule.name} {' '.join(wildcards.values())}", file=sys.stderr)
        findings += differences(study, plan, rule, wildcards, root)
    if len(drawn) < min(count, possible):
        problem = f"{len(drawn)} of {count} jobs were rerun; files of the others are missing, or named above"
        findings.append(Finding(plan.folder, problem, unchecked=True))
    if count:
        print(f"{len(drawn)} of {len(others)} jobs were rerun; --seed {seed} selects the same jobs", file=sys.stderr)
    return findings


def differences(study: str, plan: Plan, rule: Rule, wildcards: dict[str, str], root: Path) -> Iterator[Finding]:
    """Rerun a job in a scratch folder and yield what differs from the stored files.

    Args:
        study: The name of a study, or the path of its file.
        plan: The plan of that study.
        rule: The rule of the job.
        wildcards: The job's wildcards.
        root: The project's folder.
    """
    outputs = [task.output for task in plan.tasks(rule, **wildcards)]
    try:
        with _scratch(study, plan, rule, wildcards, root) as scratch:
            for output in outputs:
                before, after = (sidecar_files.read_sidecar(folder / output) for folder in (root, scratch))
                yield from _compared(output, before, after, root, scratch)
    except (Failed, ValueError) as error:
        yield Finding(outputs[0], f"could not be recomputed: {error}", unchecked=True)


@contextmanager
def _scratch(study: str, plan: Plan, rule: Rule, wildcards: dict[str, str], root: Path) -> Iterator[Path]:
    """Run a job in a scratch folder, and yield that folder.

    The folder contains links to everything in the project except the files that the job writes.
    """
    outputs = files_of(task.output for task in plan.tasks(rule, **wildcards))
    written = {f"reports/{plan.study.name}"} if rule.step == "report" else set(outputs)
    written |= {output + sidecar_files.SIDECAR for output in written}
    written |= {"logs", parsed_files.STORE.as_posix()}  # the job parses every file again, as the audit does
    study = str(Path(study).resolve()) if Path(study).is_file() else study
    names = ",".join(f"{name}={value}" for name, value in wildcards.items())
    command = [sys.executable, "-m", "touchstone", "job", rule.name, names, "--study", study]
    # PYTHONDONTWRITEBYTECODE: plugins are links to the project's files, next to which nothing must be written.
    environment = os.environ | {"TOUCHSTONE_CACHE": cache.OFF, warm.VARIABLE: warm.OFF, "PYTHONDONTWRITEBYTECODE": "1"}
    environment["PYTHONPATH"] = python_path()
    with tempfile.TemporaryDirectory(prefix="touchstone-audit-") as name:
        _link(root.resolve(), Path(name), {Path(file) for file in written})
        done = subprocess.run(command, cwd=name, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise Failed((done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1])
        yield Path(name)


def _link(source: Path, target: Path, omitted: set[Path]) -> None:
    """Fill `target` with links to the contents of `source`, without the omitted paths."""
    target.mkdir(exist_ok=True)
    for child in source.iterdir():
        below = {Path(*path.parts[1:]) for path in omitted if path.parts[0] == child.name}
        if not below:
            (target / child.name).symlink_to(child)
        elif Path() not in below:
            _link(child, target / child.name, below)


def _compared(
    output: str, before: dict[str, Any], after: dict[str, Any], root: Path, scratch: Path
) -> Iterator[Finding]:
    """Yield how an output differs and, if it is a report, its pages.

    In another environment a difference proves nothing, so the finding is marked as unchecked.
    """
    environment = sorted(
        name for name in (before.keys() | after.keys()) - OF_THE_JOB if before.get(name) != after.get(name)
    )
    where = f" in another environment ({', '.join(environment)})" if environment else ""
    count = 0
    folder = Path(output).parent
    for page in sorted({*before.get("pages", ()), *after.get("pages", ())}):
        file = (folder / page).as_posix()
        first, second = (_read(top / file) for top in (root, scratch))
        if first != second:
            count += 1
            yield Finding(
                file, f"is not what the chain gives{where}: {_difference(page, first, second)}", bool(environment)
            )
    if not count and before["artefact"] != after["artefact"]:
        count += 1
        problem = f"recomputed{where}, its digest is {after['artefact']}, not {before['artefact']}"
        yield Finding(output, problem, bool(environment))
    others = sorted(name for name in OF_THE_JOB - {"artefact", "pages"} if before.get(name) != after.get(name))
    if not count and others:
        yield Finding(output, f"its sidecar is not what the job writes: {', '.join(others)}")


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
        try:
            return gzip.decompress(data).decode()
        except (EOFError, OSError) as error:
            raise ValueError(str(error)) from error
    if page.endswith((".pdf", ".png")):
        return ""
    return packing.unpacked(data.decode()) if page.endswith(".html") else data.decode()

"""A job of a finished study, run again in a scratch copy of the project: does it give the same bytes?"""

from __future__ import annotations

import gzip
import os
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

from touchstone.pipeline.auditing.findings import Finding
from touchstone.pipeline.jobs import warm
from touchstone.pipeline.planning.parts import Rule
from touchstone.pipeline.planning.plan import Plan
from touchstone.pipeline.provenance import cache, code, sidecar_files
from touchstone.pipeline.provenance.addresses import files_of
from touchstone.report import packing

OF_THE_JOB = {"artefact", "step", "settings", "inputs", "code", "files", "pages"}  # the rest is its environment
WIDTH = 60  # characters of text that are shown of a difference


class Failed(Exception):
    """A job that could not be run again; says why."""


def differences(study: str, plan: Plan, rule: Rule, wildcards: dict[str, str], root: Path) -> Iterator[Finding]:
    """Run a job again and yield what differs from the files that are there; the scratch copy is deleted afterwards.

    Args:
        study: the study as `touchstone job` takes it: a name, or the path of its file.
        plan: the plan of that study.
        rule, wildcards: the job.
        root: the project's folder.
    """
    outputs = [task.output for task in plan.tasks(rule, **wildcards)]
    try:
        with _scratch(study, plan, rule, wildcards, root) as scratch:
            for output in outputs:
                before, after = (sidecar_files.read_sidecar(folder / output) for folder in (root, scratch))
                yield from _compared(output, before, after, root, scratch)
    except (Failed, ValueError) as error:
        yield Finding(outputs[0], f"could not be computed again: {error}", unchecked=True)


@contextmanager
def _scratch(study: str, plan: Plan, rule: Rule, wildcards: dict[str, str], root: Path) -> Iterator[Path]:
    """Run a job in a folder that links to everything in the project except what the job writes; yield that folder."""
    outputs = files_of(task.output for task in plan.tasks(rule, **wildcards))
    written = {f"reports/{plan.study.name}"} if rule.step == "report" else set(outputs)
    written |= {output + sidecar_files.SIDECAR for output in written} | {"logs"}
    study = str(Path(study).resolve()) if Path(study).is_file() else study
    names = ",".join(f"{name}={value}" for name, value in wildcards.items())
    command = [sys.executable, "-m", "touchstone", "job", rule.name, names, "--study", study]
    # PYTHONDONTWRITEBYTECODE: plugins are links to the project's own files, and nothing is written beside those.
    environment = os.environ | {"TOUCHSTONE_CACHE": cache.OFF, warm.VARIABLE: warm.OFF, "PYTHONDONTWRITEBYTECODE": "1"}
    environment["PYTHONPATH"] = str(code.PACKAGE.parent)
    with tempfile.TemporaryDirectory(prefix="touchstone-audit-") as name:
        _link(root.resolve(), Path(name), {Path(file) for file in written})
        done = subprocess.run(command, cwd=name, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise Failed((done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1])
        yield Path(name)


def _link(source: Path, target: Path, apart: set[Path]) -> None:
    """Fill a folder with links to what another holds, except the files and folders `apart`, which are left out."""
    target.mkdir(exist_ok=True)
    for child in source.iterdir():
        below = {Path(*path.parts[1:]) for path in apart if path.parts[0] == child.name}
        if not below:
            (target / child.name).symlink_to(child)
        elif Path() not in below:
            _link(child, target / child.name, below)


def _compared(
    output: str, before: dict[str, Any], after: dict[str, Any], root: Path, scratch: Path
) -> Iterator[Finding]:
    """Yield how an output and, of a report, its pages differ; in another environment that proves nothing."""
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
            yield Finding(file, f"is not what the chain gives{where}: {_told(page, first, second)}", bool(environment))
    if not count and before["artefact"] != after["artefact"]:
        count += 1
        told = f"computed again{where}, its digest is {after['artefact']}, not {before['artefact']}"
        yield Finding(output, told, bool(environment))
    others = sorted(name for name in OF_THE_JOB - {"artefact", "pages"} if before.get(name) != after.get(name))
    if not count and others:
        yield Finding(output, f"its sidecar is not what the job writes: {', '.join(others)}")


def _read(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""


def _told(page: str, before: bytes, after: bytes) -> str:
    """Return in words where two versions of a page first differ."""
    if not before or not after:
        return "it is missing" if after else "no such page"
    try:
        lines = [_text(page, data).splitlines() for data in (before, after)]
    except ValueError as error:
        return f"it cannot be read ({error})"
    for number, (first, second) in enumerate(zip_longest(*lines, fillvalue=""), 1):
        if first != second:
            shown = [unescape(re.sub("<[^>]*>", "", line)) for line in (first, second)]
            shown = shown if shown[0] != shown[1] else [first, second]
            equal = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(*shown, strict=False)))
            start = max(0, equal - WIDTH // 2)
            first, second = (line[start : start + WIDTH] for line in shown)
            return f'line {number} says "{first}", the chain "{second}"'
    return "its bytes differ"


def _text(page: str, data: bytes) -> str:
    """Return a page as text, with its packed parts; ValueError where it is none."""
    if page.endswith(".gz"):
        try:
            return gzip.decompress(data).decode()
        except (EOFError, OSError) as error:
            raise ValueError(str(error)) from error
    if page.endswith((".pdf", ".png")):
        return ""
    return packing.unpacked(data.decode()) if page.endswith(".html") else data.decode()

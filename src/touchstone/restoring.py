"""Snakemake's own records of a study, made again from the sidecars, so that planning is right after a clone or checkout.

Snakemake decides by its records under .snakemake/metadata. After `git clone` and `dvc pull`, or `dvc checkout` of another
version, they are missing or belong to other files; it then reruns what is current and overlooks what changed. The
sidecars travel with the files and hold all that a record needs.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from touchstone import digests, provenance
from touchstone.plan import Plan
from touchstone.plan_parts import Rule

RECORDS = Path(".snakemake/metadata")
KEEP, RERUN = "keep", "rerun"  # what was made under another lock than today's
FORMAT = 6  # of Snakemake 9.27.1; a test compares a restored record with one that Snakemake wrote


@dataclass(frozen=True)
class Restored:
    """What a restore did: records written again, files whose bytes are not those of their sidecar, files of another lock."""

    written: int
    damaged: list[str]
    other_lock: list[str] = field(default_factory=list)
    lock: str = KEEP

    def told(self) -> list[str]:
        """Return what a person has to know of it before the first job."""
        lines = [f"{file}: its bytes do not match its sidecar; it will be made again" for file in self.damaged]
        if self.other_lock:
            what = "kept (lock=rerun makes them again)" if self.lock == KEEP else "they will be made again"
            lines.append(f"{len(self.other_lock)} files were made under another requirements.lock: {what}")
        return lines


def restore(plan: Plan, root: Path = Path(), *, lock: str = KEEP) -> Restored:
    """Write the records of all finished jobs that Snakemake has none for, or others than the sidecars say.

    Bytes are checked for those alone, so that it costs little where nothing moved. A damaged file is named,
    left where it is, and its job recorded so that Snakemake does it again. So is a job whose input is gone or
    another: Snakemake itself does not look for a missing file as long as what was made from it is there. So are, if told,
    all jobs that were done under another requirements.lock than today's.
    """
    if lock not in (KEEP, RERUN):
        raise ValueError(f"lock is {lock}; it may be {KEEP} or {RERUN}")
    today = provenance.lock_digest(root)
    written, damaged, other_lock = 0, list[str](), list[str]()
    beside, now = dict[str, str | None](), time.time()
    for rule, wildcards in plan.jobs():
        outputs = [pattern.format(**wildcards) for pattern in plan.outputs(rule)]
        sidecars = _sidecars(root, outputs)
        if sidecars is None:
            continue
        _not_in_the_future(root, outputs, now)
        record = _record(rule, outputs, sidecars)
        if gone := _gone_or_other(root, sidecars, beside):
            record["params"] = [f"{gone} is gone or another"]  # no job has such params, so Snakemake makes it again
        others = [output for output in outputs if sidecars[output].get("lock", today) != today]
        other_lock += others
        if others and lock == RERUN:
            record["params"] = ["made under another lock"]
        files = [*outputs, *(output + provenance.SIDECAR for output in outputs)]
        files += plan.more_pages if rule.step == "report" else []
        stale = [file for file in files if not _same(_path(root, file), record)]
        if not stale:
            continue
        broken = [output for output in outputs if not _whole(root / output, sidecars[output])]
        if broken:
            record["params"] = [f"{broken[0]} is damaged"]
        for file in files:
            provenance.write_whole(_path(root, file), json.dumps(record, sort_keys=True).encode(), lasting=False)
        written += len(files)
        damaged += broken
    return Restored(written, damaged, other_lock, lock)


def _sidecars(root: Path, outputs: list[str]) -> dict[str, dict[str, Any]] | None:
    """Return the outputs' sidecars; None where an output or a sidecar is missing or not readable: nothing to record."""
    if not all((root / output).exists() for output in outputs):
        return None
    try:
        return {output: provenance.read_sidecar(root / output) for output in outputs}
    except ValueError:
        return None


def _gone_or_other(root: Path, sidecars: dict[str, dict[str, Any]], beside: dict[str, str | None]) -> str | None:
    """Return an input of the outputs that is gone, or has another sidecar than then; raw files may be gone.

    A job that fails leaves such outputs downstream: Snakemake removes its own outputs and takes the rest for current.
    `beside` keeps the sidecars' digests from call to call.
    """
    for link in (link for sidecar in sidecars.values() for found in sidecar["inputs"].values() for link in found):
        file = str(link["file"])
        if file not in beside:
            path = root / file
            there = path.exists() and provenance.sidecar_path(path).is_file()
            beside[file] = digests.file_digest(provenance.sidecar_path(path)) if there else None
        if beside[file] != link["sidecar"] and not file.startswith("data/raw/"):
            return file
    return None


def _not_in_the_future(root: Path, outputs: list[str], now: float) -> None:
    """Give files that a clock made before it was set back the time of now: Snakemake refuses outputs older than inputs.

    What is current is decided by checksums, so nothing else changes.
    """
    for path in (root / name for output in outputs for name in (output, output + provenance.SIDECAR)):
        if path.stat().st_mtime > now + 1:
            with contextlib.suppress(OSError):  # not ours to touch
                os.utime(path)


def _whole(path: Path, sidecar: dict[str, Any]) -> bool:
    found = digests.folder_digest(path) if path.is_dir() else digests.file_digest(path)
    return bool(found == sidecar["artefact"])


def _record(rule: Rule, outputs: list[str], sidecars: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the record under which the outputs were made, as far as Snakemake's triggers read it."""
    tasks, files, checksums = [], dict[str, str](), dict[str, str]()
    for output in outputs:
        sidecar = sidecars[output]
        links = sidecar["inputs"]
        inputs = {role: [link["file"] for link in found] for role, found in links.items()}
        tasks.append({"inputs": inputs, "output": output, "settings": sidecar["settings"]})
        files |= sidecar["files"]
        for link in (link for found in links.values() for link in found):
            if not link["file"].startswith("data/raw/"):
                checksums[link["file"]] = link["artefact"]
            checksums[link["file"] + provenance.SIDECAR] = link["sidecar"]
    settings = digests.sha256(provenance.canonical(tasks).encode())
    code = provenance.code_digest(dict(sorted(files.items())))
    return {
        "rule": rule.name,
        "input": sorted(checksums),
        "log": [],
        "shellcmd": "",
        "params": sorted([repr(f"{rule.name}:{settings}"), repr(code)]),
        "code": "",
        "record_format_version": FORMAT,
        "conda_env": None,
        "container_img_url": None,
        "software_stack_hash": "",
        "job_hash": 0,
        "starttime": 0.0,
        "endtime": 0.0,
        "incomplete": False,
        "external_jobid": None,
        "input_checksums": checksums,
    }


def _path(root: Path, file: str) -> Path:
    """Return where Snakemake keeps the record of a file."""
    name = urlsafe_b64encode(file.encode()).decode()
    parts = [name[start : start + 254] for start in range(0, len(name), 254)]
    return root / RECORDS / Path(*[f"@{part}" for part in parts[:-1]], parts[-1])


def _same(path: Path, record: dict[str, Any]) -> bool:
    """Return whether Snakemake's record already says what the sidecars say."""
    try:
        found = json.loads(path.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return False
    lists = all(sorted(found.get(key) or []) == sorted(record[key]) for key in ("input", "params"))
    return lists and found.get("input_checksums") == record["input_checksums"]

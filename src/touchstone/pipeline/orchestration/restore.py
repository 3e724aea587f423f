"""Snakemake's own records of a study, made again from the sidecars, so that planning is right after a clone or checkout.

Snakemake decides by its records under .snakemake/metadata. After `git clone` and `dvc pull`, or `dvc checkout` of another
version, they are missing or belong to other files; it then reruns what is current and overlooks what changed. The
sidecars travel with the files and hold all that a record needs.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from touchstone import digests
from touchstone.pipeline.auditing.broken_links import RAW, Changed, Sidecars
from touchstone.pipeline.planning.parts import Rule
from touchstone.pipeline.planning.plan import Plan
from touchstone.pipeline.provenance import code, sidecar_files, whole_files
from touchstone.pipeline.provenance.addresses import Address, files_of

RECORDS = Path(".snakemake/metadata")
KEEP, RERUN = "keep", "rerun"  # what was made under another lock than today's
FORMAT = 6  # of Snakemake 9.27.1; a test compares a restored record with one that Snakemake wrote
MOST_NAMED = 5  # of files that changed, before the rest is counted
TIMES = re.compile(rb'time": ([\d.e+-]+)')  # all in which Snakemake's records of one job's files differ


@dataclass(frozen=True)
class Damage:
    """A file, or a folder of raw files, whose bytes are not those that its sidecar vouches for."""

    file: str
    expected: str
    found: str

    def __str__(self) -> str:
        if not self.file.startswith(RAW):
            return f"{self.file}: its bytes do not match its sidecar; it will be made again"
        source = self.file.removeprefix(RAW)
        return (
            f"{self.file}: these are not the raw files that were fetched: expected {self.expected}, found {self.found};"
            f" they will be fetched again. What they should be stands in sources.{source}: change it there"
        )


@dataclass(frozen=True)
class Finished:
    """A job whose files are there with their sidecars; its record as the sidecars have it, and Snakemake's of each file."""

    rule: Rule
    wildcards: dict[str, str]
    record: dict[str, Any]
    kept: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Restored:
    """What a restore did and found.

    Attributes:
        written: how many records were written again.
        damaged: files whose bytes are not those of their sidecar.
        other_lock: files that were made under another requirements.lock.
        changed: files that changed together with their sidecar after others were made from them.
    """

    written: int
    damaged: list[Damage]
    other_lock: list[str] = field(default_factory=list)
    lock: str = KEEP
    changed: list[Changed] = field(default_factory=list)
    finished: list[Finished] = field(default_factory=list, compare=False, repr=False)

    def told(self) -> list[str]:
        """Return what a person has to know of it before the first job."""
        lines = [str(damage) for damage in self.damaged] + [str(changed) for changed in self.changed[:MOST_NAMED]]
        if more := self.changed[MOST_NAMED:]:
            lines.append(f"{len(more)} more files changed after others were made from them, such as {more[0].file}")
        if self.other_lock:
            what = "kept (lock=rerun makes them again)" if self.lock == KEEP else "they will be made again"
            lines.append(f"{len(self.other_lock)} files were made under another requirements.lock: {what}")
        return lines


def restore(plan: Plan, root: Path = Path(), *, lock: str = KEEP, write: bool = True) -> Restored:
    """Write the records of all finished jobs that Snakemake has none for, or others than the sidecars say.

    Bytes are checked for those alone, and for files that were changed after their sidecar was written, so that it costs
    little where nothing moved. A damaged file is named, left where it is, and its job recorded so that Snakemake does it
    again. So is a job whose input is gone or another: Snakemake itself does not look for a missing file as long as what was
    made from it is there. So are, if told, all jobs that were done under another requirements.lock than today's.
    Without `write` it returns the same and writes no record: for a folder that cannot be written to.
    """
    if lock not in (KEEP, RERUN):
        raise ValueError(f"lock is {lock}; it may be {KEEP} or {RERUN}")
    today, sidecars_of = sidecar_files.lock_digest(root), Sidecars(root)
    done = Restored(0, [], lock=lock)
    written, now = 0, time.time()
    broken_links: list[tuple[dict[str, str], str]] = []
    for rule, wildcards in plan.jobs():
        planned = [pattern.format(**wildcards) for pattern in plan.outputs(rule)]
        sidecars = sidecars_of.all(planned)
        if sidecars is None:
            continue
        outputs = files_of(planned)
        _not_in_the_future(root, outputs, now)
        record = record_of(rule, sidecars, root)
        if lacking := [output for output in planned if output not in sidecars]:
            record["params"] = [f"{lacking[0]} is missing"]
        if links := sidecars_of.broken_links(sidecars):
            # No job has such params, so Snakemake makes it again.
            record["params"] = [f"{links[0][0]['file']} is gone or another"]
            broken_links += links
        others = [output for output, sidecar in sidecars.items() if sidecar.get("lock", today) != today]
        done.other_lock.extend(others)
        if others and lock == RERUN:
            record["params"] = ["made under another lock"]
        files = [*outputs, *(output + sidecar_files.SIDECAR for output in outputs)]
        files += plan.more_pages if rule.step == "report" else []
        kept = _kept(root, files, record)
        broken = _damaged(root, _changed_since(root, outputs) if kept else outputs)
        if broken:
            record["params"] = [f"{broken[0].file} is damaged"]
            kept = _kept(root, files, record)
        if kept is None and write:
            for file in files:
                whole_files.write_whole(_path(root, file), json.dumps(record, sort_keys=True).encode(), lasting=False)
            written += len(files)
        done.damaged.extend(broken)
        done.finished.append(Finished(rule, wildcards, record, kept or dict.fromkeys(files, record)))
    return replace(done, written=written, changed=sidecars_of.changed(broken_links))


def _not_in_the_future(root: Path, outputs: list[str], now: float) -> None:
    """Give files that a clock made before it was set back the time of now: Snakemake refuses outputs older than inputs.

    What is current is decided by checksums, so nothing else changes.
    """
    for path in (root / name for output in outputs for name in (output, output + sidecar_files.SIDECAR)):
        if path.stat().st_mtime > now + 1:
            with contextlib.suppress(OSError):  # not ours to touch
                os.utime(path)


def _changed_since(root: Path, outputs: list[str]) -> list[str]:
    """Return the outputs that were changed, or just touched, after their sidecar was written."""
    return [output for output in outputs if _later(root / output)]


def _later(path: Path) -> list[Path]:
    """Return what is later than the sidecar of an artefact: itself, or files and folders in it.

    Snakemake puts its mark into a folder when the job is done, after the sidecar.
    """
    made = sidecar_files.sidecar_path(path).stat().st_mtime_ns
    if not path.is_dir():
        return [path] if path.stat().st_mtime_ns > made else []
    mark = path / digests.SNAKEMAKE_MARK
    made = max(made, mark.stat().st_mtime_ns) if mark.exists() else made
    return [part for part in (path, *path.rglob("*")) if part != mark and part.stat().st_mtime_ns > made]


def _damaged(root: Path, outputs: list[str]) -> list[Damage]:
    """Return the outputs whose bytes are not those of their sidecar; the others get the time of theirs, and are not looked
    at again before they change.
    """
    broken = []
    for output in outputs:
        path = root / output
        expected, found = str(sidecar_files.read_sidecar(path)["artefact"]), sidecar_files.artefact_digest(path)
        if found != expected:
            broken.append(Damage(output, expected, found))
            continue
        made = sidecar_files.sidecar_path(path).stat().st_mtime_ns
        for part in _later(path):
            with contextlib.suppress(OSError):  # not ours to touch
                os.utime(part, ns=(made, made))
    return broken


def record_of(rule: Rule, sidecars: dict[str, dict[str, Any]], root: Path) -> dict[str, Any]:
    """Return the record under which the outputs were made, as far as Snakemake's triggers read it.

    Of a bundle that was read, only some members matter. If those are still the same, it counts as read as it is today.
    """
    tasks, files, checksums = [], dict[str, str](), dict[str, str]()
    for output, sidecar in sidecars.items():
        links = sidecar["inputs"]
        inputs = {role: [link["file"] for link in found] for role, found in links.items()}
        tasks.append({"inputs": inputs, "output": output, "settings": sidecar["settings"]})
        files |= sidecar["files"]
        for link in (link for found in links.values() for link in found):
            place = Address.parse(link["file"])
            beside = place.file + sidecar_files.SIDECAR
            if place.member:
                if place.file not in checksums:
                    with contextlib.suppress(ValueError, OSError):  # gone: a broken link says so
                        checksums[place.file] = sidecar_files.read_sidecar(root / place.file)["artefact"]
                        checksums[beside] = digests.file_digest(root / beside)
                continue
            if not place.file.startswith(RAW):
                checksums[place.file] = link["artefact"]
            checksums[beside] = link["sidecar"]
    settings = digests.sha256(digests.canonical(tasks).encode())
    code_digest = code.code_digest(dict(sorted(files.items())))
    return {
        "rule": rule.name,
        "input": sorted(checksums),
        "log": [],
        "shellcmd": "",
        "params": params_of(rule, settings, code_digest),
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


def params_of(rule: Rule, settings: str, code_digest: str) -> list[str]:
    """Return a job's params as Snakemake keeps them."""
    return sorted([repr(f"{rule.name}:{settings}"), repr(code_digest)])


def record_name(file: str) -> str:
    """Return what Snakemake calls the record of a file, with slashes where the name is long."""
    name = urlsafe_b64encode(file.encode()).decode()
    parts = [name[start : start + 254] for start in range(0, len(name), 254)]
    return "/".join([*(f"@{part}" for part in parts[:-1]), parts[-1]])


def _path(root: Path, file: str) -> Path:
    return root / RECORDS / record_name(file)


def _kept(root: Path, files: list[str], record: dict[str, Any]) -> dict[str, dict[str, Any]] | None:
    """Return Snakemake's records of a job's files; None where one is missing or says otherwise than the sidecars.

    Of records that differ in their times alone, the first is parsed for all: each holds the job's whole list of inputs.
    """
    kept, alike = dict[str, dict[str, Any]](), dict[bytes, tuple[dict[str, Any], list[str]]]()
    for file in files:
        try:
            data = _path(root, file).read_bytes()
        except FileNotFoundError:
            return None
        timeless, times = TIMES.sub(b"", data), [float(found) for found in TIMES.findall(data)]
        if timeless not in alike:
            if (first := _parsed(data, record)) is None:
                return None
            alike[timeless] = first, [name for name in first if name in ("starttime", "endtime")]
        first, names = alike[timeless]
        kept[file] = first | dict(zip(names, times, strict=False))
    return kept


def _parsed(data: bytes, record: dict[str, Any]) -> dict[str, Any] | None:
    """Return one of Snakemake's records; None where it does not say what the sidecars say."""
    try:
        found: dict[str, Any] = json.loads(data)
    except (UnicodeDecodeError, json.JSONDecodeError):
        return None
    same = all(sorted(found.get(key) or []) == sorted(record[key]) for key in ("input", "params"))
    return found if same and found.get("input_checksums") == record["input_checksums"] else None

"""Restore Snakemake's records of a study from the sidecars after a clone or checkout.

Snakemake plans by its records under .snakemake/metadata. After `git clone` and `dvc pull`, or `dvc checkout` of another
version, these are missing or belong to other files. Snakemake would then rerun finished jobs and overlook changes. The
sidecars are stored with the files and contain everything that a record needs.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from base64 import urlsafe_b64encode
from dataclasses import replace
from pathlib import Path
from typing import Any

from touchstone import digests
from touchstone.pipeline.auditing.broken_links import Sidecars
from touchstone.pipeline.orchestration.restored import Damage, Finished, Restored
from touchstone.pipeline.planning.parts import Rule
from touchstone.pipeline.planning.plan import Plan
from touchstone.pipeline.provenance import code, sidecar_files, whole_files
from touchstone.pipeline.provenance.addresses import Address, files_of

RECORDS = Path(".snakemake/metadata")
TICK = 0.01  # seconds; times that differ by less count as equal
FORMAT = 6  # of Snakemake 9.27.1; a test compares a restored record with one that Snakemake wrote
TIMES = re.compile(rb'time": ([\d.e+-]+)')  # the only difference between Snakemake's records of one job's files


def restore(plan: Plan, root: Path = Path(), *, write: bool = True) -> Restored:
    """Write Snakemake's records that are missing or contradict the sidecars.

    Only the files of these jobs are hashed, and files that are newer than their sidecar. Some jobs get a record that
    makes Snakemake run them again:

    - Jobs with a damaged output. The damaged file is reported and left in place.
    - Jobs with a missing or changed input. Snakemake itself ignores a missing input as long as the outputs exist.

    Args:
        plan: The plan of the study.
        root: The project's folder.
        write: Whether to write the records. A read-only folder needs False.
    """
    sidecars_of = Sidecars(root)
    done = Restored(0, [])
    written, now = 0, time.time()
    broken_links: list[tuple[dict[str, str], str]] = []
    for rule, wildcards in plan.jobs():
        planned = [task.output for task in plan.tasks(rule, **wildcards)]
        sidecars = sidecars_of.all(planned)
        if sidecars is None:
            written += _mark_missing(root, rule, planned, sidecars_of) if write else 0
            continue
        outputs = files_of(planned)
        _not_in_the_future(root, outputs, now)
        record = record_of(rule, sidecars, sidecars_of)
        if lacking := [output for output in planned if output not in sidecars]:
            record["params"] = [f"{lacking[0]} is missing"]
        if links := sidecars_of.broken_links(sidecars):
            # No job has such params, so Snakemake runs it again.
            record["params"] = [f"{links[0][0]['file']} is gone or another"]
            broken_links += links
        files = [*outputs, *(output + sidecar_files.SIDECAR for output in outputs)]
        files += plan.layout.more_pages if rule.step == "report" else []
        kept = _kept(root, files, record)
        touched = _touched_since(root, outputs, kept) if kept else {}
        broken = _damaged(root, sorted({*_changed_since(root, outputs), *touched}) if kept else outputs)
        broken += _altered_pages(root, sidecars) if rule.step == "report" else []
        _reset_times(root, {output: end for output, end in touched.items() if not broken})
        if broken:
            record["params"] = [f"{broken[0].file} is damaged"]
            kept = _kept(root, files, record)
        if kept is None and write:
            written += _write(root, files, record)
        done.damaged.extend(broken)
        done.finished.append(Finished(rule, wildcards, record, kept or dict.fromkeys(files, record)))
    return replace(done, written=written, changed=sidecars_of.changed(broken_links))


def _mark_missing(root: Path, rule: Rule, planned: list[str], all_sidecars: Sidecars) -> int:
    """Let Snakemake rerun a job that has lost an artefact but not its sidecar; return the number of records written.

    The inputs that Snakemake knows of are sidecars, so it does not look for the artefacts.
    """
    files = files_of(planned)
    lost = [file for file in files if not (root / file).exists()]
    left = [beside for file in files if (root / (beside := file + sidecar_files.SIDECAR)).exists()]
    if not lost or rule.step == "fetch":  # raw files may be gone
        return 0
    return _write(root, left, record_of(rule, {}, all_sidecars) | {"params": [f"{lost[0]} is missing"]})


def _write(root: Path, files: list[str], record: dict[str, Any]) -> int:
    """Write the record of a job for each of its files; return the number of files."""
    data = json.dumps(record, sort_keys=True).encode()
    for file in files:
        whole_files.write_whole(_path(root, file), data, lasting=False)
    return len(files)


def _not_in_the_future(root: Path, outputs: list[str], now: float) -> None:
    """Set modification times in the future to now.

    Snakemake refuses outputs older than their inputs. Checksums decide what is up to date, so nothing else changes.
    """
    for path in (root / name for output in outputs for name in (output, output + sidecar_files.SIDECAR)):
        if path.stat().st_mtime > now + 1:
            with contextlib.suppress(OSError):  # the file belongs to another user
                os.utime(path)


def _changed_since(root: Path, outputs: list[str]) -> list[str]:
    """Return the outputs that were modified or touched after their sidecar was written."""
    return [output for output in outputs if _later(root / output)]


def _touched_since(root: Path, outputs: list[str], kept: dict[str, dict[str, Any]]) -> dict[str, float]:
    """Return {output: the time of its sidecar when its job ended}, of the sidecars that were changed or touched since."""
    found = {}
    for output in outputs:
        end = float(kept[output + sidecar_files.SIDECAR].get("endtime") or 0.0)  # Snakemake takes it from the file
        if 0 < end < (root / (output + sidecar_files.SIDECAR)).stat().st_mtime - TICK:
            found[output] = end
    return found


def _reset_times(root: Path, ends: dict[str, float]) -> None:
    """Give verified files the time at which their job ended, so that they are not hashed again."""
    for output, end in ends.items():
        for path in (root / output, root / (output + sidecar_files.SIDECAR)):
            with contextlib.suppress(OSError):  # another user's file keeps its time
                if path.is_file():
                    os.utime(path, (end, end))


def _later(path: Path) -> list[Path]:
    """Return the files and folders of an artefact that are newer than its sidecar.

    Snakemake writes its mark into a folder after the job has ended, so after the sidecar.
    """
    written = sidecar_files.sidecar_path(path).stat().st_mtime_ns
    if not path.is_dir():
        return [path] if path.stat().st_mtime_ns > written else []
    mark = path / digests.SNAKEMAKE_MARK
    written = max(written, mark.stat().st_mtime_ns) if mark.exists() else written
    return [part for part in (path, *path.rglob("*")) if part != mark and part.stat().st_mtime_ns > written]


def _damaged(root: Path, outputs: list[str]) -> list[Damage]:
    """Return the outputs whose bytes do not match their sidecar.

    The others get the modification time of their sidecar, so that they are not hashed again until they change.
    """
    broken = []
    for output in outputs:
        path = root / output
        expected, actual = str(sidecar_files.read_sidecar(path)["artefact"]), sidecar_files.artefact_digest(path)
        if actual != expected:
            broken.append(Damage(output, expected, actual))
            continue
        written = sidecar_files.sidecar_path(path).stat().st_mtime_ns
        for part in _later(path):
            with contextlib.suppress(OSError):  # the file belongs to another user
                os.utime(part, ns=(written, written))
    return broken


def _altered_pages(root: Path, sidecars: dict[str, dict[str, Any]]) -> list[Damage]:
    """Return the report's tables and figures that are gone or do not match its sidecar."""
    broken = []
    for report, sidecar in sidecars.items():
        for name, expected in sidecar.get("pages", {}).items():
            path = (root / report).parent / name
            actual = digests.file_digest(path) if path.is_file() else "no file"
            if actual != expected and path != root / report:
                broken.append(Damage(path.relative_to(root).as_posix(), expected, actual))
    return broken


def record_of(rule: Rule, sidecars: dict[str, dict[str, Any]], all_sidecars: Sidecars) -> dict[str, Any]:
    """Return the job's record, with the fields that Snakemake's triggers read.

    For bundles it contains today's digests. If a member that the job read has changed, a broken link reports that.

    Args:
        rule: The job's rule.
        sidecars: {output: its record}, of this job.
        all_sidecars: Of the study, for the bundles that the job read.
    """
    tasks, checksums = [], dict[str, str]()
    for output, sidecar in sidecars.items():
        links = sidecar["inputs"]
        inputs = {role: [link["file"] for link in group] for role, group in links.items()}
        tasks.append({"inputs": inputs, "output": output, "settings": sidecar["settings"]})
        for link in (link for group in links.values() for link in group):
            place = Address.parse(link["file"])
            beside = place.file + sidecar_files.SIDECAR
            if not place.member:
                checksums[beside] = checksum(link["sidecar"])
            elif beside not in checksums and (today := all_sidecars.record_digest(place.file)):
                checksums[beside] = checksum(today)
    settings = digests.sha256(digests.canonical(tasks).encode())
    code_digest = code.job_digest(sidecar["code"] for sidecar in sidecars.values())
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


def checksum(digest: str) -> str:
    """Return a digest as every tested Snakemake reads it: 9.3 expects no prefix, and 9.27 assumes SHA-256 without one."""
    return digest.removeprefix("sha256:")


def params_of(rule: Rule, settings: str, code_digest: str) -> list[str]:
    """Return a job's params as Snakemake records them."""
    return sorted([repr(f"{rule.name}:{settings}"), repr(code_digest)])


def record_name(file: str) -> str:
    """Return the path of a file's record below RECORDS; slashes split a long name."""
    name = urlsafe_b64encode(file.encode()).decode()
    parts = [name[start : start + 254] for start in range(0, len(name), 254)]
    return "/".join([*(f"@{part}" for part in parts[:-1]), parts[-1]])


def _path(root: Path, file: str) -> Path:
    return root / RECORDS / record_name(file)


def _kept(root: Path, files: list[str], record: dict[str, Any]) -> dict[str, dict[str, Any]] | None:
    """Return Snakemake's records of a job's files.

    Return None if one is missing or contradicts the sidecars. Of records that differ only in their times, only the first
    is parsed, because each contains the job's whole list of inputs.
    """
    kept, alike = dict[str, dict[str, Any]](), dict[bytes, tuple[dict[str, Any], list[str]]]()
    for file in files:
        try:
            data = _path(root, file).read_bytes()
        except FileNotFoundError:
            return None
        timeless, times = TIMES.sub(b"", data), [float(number) for number in TIMES.findall(data)]
        if timeless not in alike:
            if (first := _parsed(data, record)) is None:
                return None
            alike[timeless] = first, [name for name in first if name in ("starttime", "endtime")]
        first, names = alike[timeless]
        kept[file] = first | dict(zip(names, times, strict=False))
    return kept


def _parsed(data: bytes, record: dict[str, Any]) -> dict[str, Any] | None:
    """Return one of Snakemake's records; None if it contradicts the sidecars."""
    try:
        parsed: dict[str, Any] = json.loads(data)
    except (UnicodeDecodeError, json.JSONDecodeError):
        return None
    same = all(sorted(parsed.get(key) or []) == sorted(record[key]) for key in ("input", "params"))
    checksums = {file: checksum(digest) for file, digest in (parsed.get("input_checksums") or {}).items()}
    return parsed if same and checksums == record["input_checksums"] else None

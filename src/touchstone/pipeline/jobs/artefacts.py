"""What one job reads and makes: artefacts in the folders of other jobs, and in the store."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from touchstone.digests import file_digest, folder_digest, sha256
from touchstone.pipeline.jobs.job_plan import JobError, JobPlan
from touchstone.pipeline.planning.parts import Task
from touchstone.provenance import job_folders, sidecar_files, whole_files
from touchstone.provenance.store import Result, Store, key_of, mark_changed
from touchstone.records.damage import DamagedFile

METRICS = "Metrics"  # the kind of file that evaluations write
OF_COMPUTER = ("python", "cpu", "device", "threads")  # facts of a record that the computer decides
Record = dict[str, Any]


@dataclass(frozen=True)
class Made:
    """An artefact of this job: its file in the store, and its record."""

    path: Path
    record: Record


class Artefacts:
    """The artefacts that a job reads, each checked against its record, and those that it makes.

    Args:
        plan: The job.
        store: The results of earlier jobs.
    """

    def __init__(self, plan: JobPlan, store: Store) -> None:
        self.plan, self.store = plan, store
        self.made: dict[str, Made] = {}
        self._nouns: dict[str, Any] = {}
        self._links: dict[str, dict[str, str]] = {}

    # --- what it reads ---

    def path(self, file: str) -> Path:
        """Return where an artefact lies."""
        return self.made[file].path if file in self.made else self.plan.place(file)

    def link(self, file: str) -> dict[str, str]:
        """Return the digests of an artefact's bytes and of its record, as the record says.

        Raises:
            JobError: The artefact has no record.
        """
        if file not in self._links:
            record = self.made[file].record if file in self.made else self._record(file)
            digest = sidecar_files.digest_of_record(record)
            self._links[file] = {"file": file, "artefact": record["artefact"], "sidecar": digest}
        return self._links[file]

    def _record(self, file: str) -> Record:
        try:
            return sidecar_files.read_sidecar(self.plan.place(file))
        except ValueError as error:
            raise JobError(f"{error}. {_advice(file)}") from error

    def noun(self, file: str, kind: str) -> Any:
        """Return the noun in a file.

        Raises:
            JobError: The file is damaged, or its bytes are not those that its record names.
        """
        if file not in self._nouns:
            self._nouns[file] = self._read(file, kind)
        return self._nouns[file]

    def _read(self, file: str, kind: str) -> Any:
        from touchstone.records import encoding, metric_tables, nouns

        path, expected = self.path(file), self.link(file)["artefact"]
        try:
            data = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            reason = "is a folder, not a file" if path.is_dir() else "is missing"
            raise JobError(f"the input {path} {reason}. {_advice(file)}") from error
        _check(file, path, expected, sha256(data))
        try:
            return metric_tables.decode(data) if kind == METRICS else encoding.decode(data, nouns.KINDS[kind])
        except DamagedFile as error:
            raise JobError(f"{path}: {error}. {_advice(file)}") from error

    def raw_files(self, file: str) -> Path:
        """Return where a folder of raw files lies.

        Raises:
            JobError: Its files are not those that its record names.
        """
        path = self.path(file)
        _check(file, path, self.link(file)["artefact"], folder_digest(path))
        return path

    def forget(self, files: Iterable[str]) -> None:
        """Drop the nouns of these files, so that a job of many tasks needs less memory."""
        for file in files:
            self._nouns.pop(file, None)

    # --- what it makes ---

    def key(self, task: Task) -> str:
        """Return the key of a task in the store."""
        return key_of(task.step, task.code, task.settings, task.roles, lambda file: self.link(file)["artefact"])

    def find(self, task: Task) -> bool:
        """Take a task's artefact from the store; return whether the store has it."""
        if not task.is_cached:
            return False
        found = self.store.find(self.plan.rule, self.key(task), job_folders.name_of(task.output))
        if found is not None:
            self._take(task, found)
        return found is not None

    def keep(self, task: Task, data: bytes, computer: Record) -> None:
        """Write a task's artefact to the store.

        Args:
            task: The task.
            data: The bytes of its artefact.
            computer: The facts of its record that the computer decides, and what else the store shall record.
        """
        facts = {"name": job_folders.name_of(task.output), "settings": task.settings, **computer}
        self._take(task, self.store.keep(self.plan.rule, self.key(task), data, facts))

    def _take(self, task: Task, result: Result) -> None:
        other = {name: result.record[name] for name in OF_COMPUTER if name in result.record}
        record = {"artefact": result.record["artefact"], **self.facts(task), **other}
        self.made[task.output] = Made(result.path, record)

    def facts(self, task: Task) -> Record:
        """Return the facts of a task's record that do not depend on the computer, without its artefact's digest."""
        return {
            "step": task.step,
            "settings": task.settings,
            "inputs": {role: [self.link(file) for file in files] for role, files in task.roles.items()},
            "code": task.code,
            **self.plan.code(task.code),
        }

    def finish(self, folder: Path) -> None:
        """Put every artefact of this job into its folder under its name, and then the job's sidecar.

        An artefact is a link to the store, or a copy where there can be no link.

        Raises:
            JobError: A copy has not the bytes that its record names, so the store's file is damaged.
        """
        records = {}
        for file, made in self.made.items():
            split = job_folders.split(file)
            assert split is not None
            name = split[1]
            if not whole_files.link(made.path, folder / name):
                _check(file, made.path, made.record["artefact"], file_digest(folder / name))
            records[name] = made.record
        sidecar_files.write_job_sidecar(folder, records)


def _check(file: str, path: Path, expected: str, actual: str) -> None:
    """Raise JobError if an artefact has another digest than its record names."""
    if actual != expected:
        mark_changed(path)  # so the store will not offer this again
        reason = f"its bytes do not match its record, which names {expected}; the bytes have {actual}"
        raise JobError(f"{path}: {reason}. {_advice(file)}")


def _advice(file: str) -> str:
    """Return what a user does about an artefact that is missing or damaged."""
    split = job_folders.split(file)
    return f"Delete {split[0] if split else file} and run the command again."

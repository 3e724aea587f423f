"""The store: what tasks made, each under a key of its step, code, settings and the bytes that it read.

A key holds no rule, job or study. So to rename or regroup these computes nothing, and studies find each other's results.
A result lies in data/STUDY/RULE/KEY, with a record in KEY.json beside it. DVC carries these folders: each is an output of
one stage, which needs a folder that no other rule writes to.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

from touchstone import digests
from touchstone.provenance import whole_files

FOLDER = Path("data")
VARIABLE = "TOUCHSTONE_STORE"  # another folder than `data`, for example one that several clones share
KEY_LENGTH = 32  # hexadecimal digits
Record = dict[str, Any]


@dataclass(frozen=True)
class Result:
    """A result in the store: its file and its record."""

    path: Path
    record: Record


def key_of(
    step: str,
    code: str,
    settings: Mapping[str, Any],
    roles: Mapping[str, Iterable[str]],
    digest_of: Callable[[str], str],
) -> str:
    """Return the key of a task.

    Inputs count by their bytes and their order, not by their paths; to read a set twice is another task. Only a folder of
    raw files also counts by its name, which becomes the source of its images.

    Args:
        step: The step.
        code: The digest of the task's code.
        settings: The task's settings.
        roles: The paths of the inputs in each role.
        digest_of: Returns the digest of an input's bytes, by its path.
    """
    read = {
        role: [[digest_of(file), Path(file).name] if role == "folder" else digest_of(file) for file in files]
        for role, files in roles.items()
    }
    text = digests.canonical({"step": step, "code": code, "settings": settings, "inputs": read})
    return digests.sha256(text.encode()).removeprefix("sha256:")[:KEY_LENGTH]


class Store:
    """The results of all studies in one folder.

    Args:
        study: The study whose jobs write here.
        folder: The folder; by default that of the environment, or `data`.
    """

    def __init__(self, study: str, folder: Path | None = None) -> None:
        self.study = study
        self.folder = folder or Path(os.environ.get(VARIABLE) or FOLDER)

    @cached_property
    def _folders(self) -> list[Path]:
        """The folder of each study and rule in the store, those of this study first. A rule may be one of earlier times."""
        studies = sorted(_folders_in(self.folder), key=lambda folder: (folder.name != self.study, folder.name))
        return [rule for study in studies if study.name != "raw" for rule in sorted(_folders_in(study))]

    def find(self, rule: str, key: str, name: str) -> Result | None:
        """Return the result of a task; None if the store has none that is whole.

        What another study or rule made is put into the folder of this one, too. So that holds all that its jobs are made of.

        Args:
            rule: The rule of the task's job.
            key: The task's key.
            name: The name of its artefact. The reason why something was left out holds names, so it is valid for it only.
        """
        own = self.folder / self.study / rule / key
        for path in chain([own], (folder / key for folder in self._folders if folder != own.parent)):
            record = _read_record(path)
            if record is None or (record.get("left_out") and record.get("name") != name):
                continue
            if _is_whole(path, record) and (place := path if path == own else _put(path, own, record)):
                return Result(place, record)
        return None

    def keep(self, rule: str, key: str, data: bytes, facts: Record) -> Result:
        """Write the result of a task, and then its record.

        Args:
            rule: The rule of the task's job.
            key: The task's key.
            data: The bytes of its artefact.
            facts: What else the record holds.
        """
        path = self.folder / self.study / rule / key
        record = {"artefact": digests.sha256(data), "size": len(data), **facts}
        whole_files.write_whole(path, data)
        whole_files.write_whole(record_path(path), (digests.canonical(record) + "\n").encode())
        return Result(path, record)


def look_up(store: Store, rule: str, key: str, name: str) -> Result | None:
    """Return a task's result in any study's folder of its rule; None if there is none that is whole. Nothing is copied.

    Args:
        store: The store.
        rule: The rule of the task's job.
        key: The task's key.
        name: The name of its artefact.
    """
    for folder in (store.folder / store.study / rule, *store.folder.glob(f"*/{rule}")):
        record = _read_record(folder / key)
        if record is None or (record.get("left_out") and record.get("name") != name):
            continue
        if _is_whole(folder / key, record):
            return Result(folder / key, record)
    return None


def record_path(path: Path) -> Path:
    """Return the path of the record of a result."""
    return path.with_name(path.name + ".json")


def _folders_in(folder: Path) -> list[Path]:
    try:
        return [Path(entry.path) for entry in os.scandir(folder) if entry.is_dir()]
    except OSError:
        return []


def _put(path: Path, own: Path, record: Record) -> Path | None:
    """Put a result and its record into another folder of the store.

    Returns:
        Where the result can be read; None if a copy shows that it has not the bytes that its record names.
    """
    try:
        if not whole_files.link(path, own) and digests.file_digest(own) != record["artefact"]:
            mark_changed(path)
            return None
        whole_files.link(record_path(path), record_path(own))
    except OSError:  # a full disk, or a store that others own
        return path
    return own


def mark_changed(path: Path) -> None:
    """Make a result newer than its record, so that its bytes are compared when it is looked for again."""
    with suppress(OSError):  # the store of another user
        os.utime(path)


def _read_record(path: Path) -> Record | None:
    """Return the record of a result; None if it is missing or unreadable."""
    try:
        record = json.loads(record_path(path).read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or not isinstance(record.get("artefact"), str):
        return None
    return record if digests.DIGEST.fullmatch(record["artefact"]) else None


def _is_whole(path: Path, record: Record) -> bool:
    """Return whether a result has the bytes that its record names.

    The record is written after the result. So only if the result is newer, as after somebody wrote into a link to it or
    after a copy, its bytes are compared.
    """
    try:
        seen, written = path.stat(), record_path(path).stat()
        if seen.st_size != record.get("size"):
            return False
        if seen.st_mtime_ns <= written.st_mtime_ns:
            return True
        if digests.file_digest(path) != record["artefact"]:
            return False
    except OSError:
        return False
    with suppress(OSError):  # the store of another user: compare again next time
        os.utime(record_path(path))
    return True

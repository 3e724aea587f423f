"""Stamps: recognise a finished study whose files have not changed, without planning it.

Reading the settings, planning and comparing every record takes seconds. The answer depends only on files, and on the device
that `device: auto` means. So "nothing to do" still holds if the device is the same, and each file has the times and the size
that it had then. A stamp never says that there is something to
do: if it is missing or differs, the caller plans.
"""

from __future__ import annotations

import json
import os
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import psutil

from touchstone import plugins
from touchstone.digests import sha256
from touchstone.numerics import devices
from touchstone.pipeline.orchestration import freshness, own_sources
from touchstone.pipeline.planning.plan import Plan
from touchstone.pipeline.provenance import whole_files
from touchstone.pipeline.provenance.folders import entries_below
from touchstone.pipeline.provenance.sidecar_files import SIDECAR

STAMPS = Path(".touchstone/stamps")
PROJECT = ("params.yaml", "Snakefile", "requirements.lock", "workflow", "profiles")
RECORDS = (".snakemake/metadata", ".snakemake/incomplete")
# The start of this process, rounded down by up to a second. The process may run the code from before any later change.
STARTED = int(psutil.Process().create_time() * 1e9)

File = tuple[str, os.stat_result]


class Stamp:
    """The state of a study's files, taken before they are compared with its plan.

    Args:
        plan: The plan of the study.
        study: Its name or path, as the user wrote it.
        cores: "all", or a number.
    """

    def __init__(self, plan: Plan, study: str, cores: str) -> None:
        name, raw = plan.study.name, plan.layout.raw_folders
        results = [plan.folder, f"reports/{name}", *raw, *(folder + SIDECAR for folder in raw)]
        own_files = map(str, own_sources.locations(plan.study).values())
        package, *others = map(str, plugins.places())
        self._path = _path(study)
        self._sources = [package, *PROJECT, *plan.study.files], others
        places = [*self._sources[0], *own_files, *results, *RECORDS]
        self._facts: dict[str, Any] = {
            "request": _request(study, cores),
            "name": name,
            "threads": plan.study["study"]["threads"],
            "places": places,
            "plugins": others,
            "files": _state(places, others),
        }

    def write(self) -> None:
        """Write the stamp, unless code or settings have changed since this process started."""
        if self._facts["files"] and all(facts.st_ctime_ns < STARTED for _, facts in _files(*self._sources)):
            whole_files.write_whole(self._path, json.dumps(self._facts).encode(), lasting=False)


def unchanged(study: str, cores: str) -> str | None:
    """Return the name of a study that was finished and has not changed since; None if it has to be planned.

    Args:
        study: Its name or path, as the user wrote it.
        cores: "all", or a number.
    """
    try:
        stamp: dict[str, Any] = json.loads(_path(study).read_bytes())
        name, threads, files = str(stamp["name"]), int(stamp["threads"]), str(stamp["files"])
        if stamp["request"] != _request(study, cores) or not freshness.enough_cores(cores, threads):
            return None
        same = freshness.vouched(name) and _state(stamp["places"], stamp["plugins"]) == files
    except (OSError, ValueError, KeyError, TypeError):  # there is none, or another version wrote it
        return None
    return name if same else None


def _request(study: str, cores: str) -> list[str]:
    """Return what an answer depends on apart from files.

    These are the arguments of a run, the path of the copy of touchstone that handles it, what `device: auto` means, and
    when a package was last installed.
    """
    auto = os.environ.get(devices.VARIABLE) or ("cuda" if devices.DRIVER.exists() else "cpu")
    return [study, cores, str(plugins.PACKAGE), auto, str(Path(sysconfig.get_path("purelib")).stat().st_mtime_ns)]


def _path(study: str) -> Path:
    return STAMPS / f"{sha256(study.encode()).removeprefix('sha256:')}.json"


def _state(places: Iterable[str], plugin_folders: Iterable[str]) -> str:
    """Return one digest of the names, sizes and times of all files; empty if a file vanishes meanwhile."""
    try:
        files = [(path, f.st_size, f.st_mtime_ns, f.st_ctime_ns) for path, f in _files(places, plugin_folders)]
    except OSError:
        return ""
    return sha256(repr(sorted(files)).encode())


def _files(places: Iterable[str], plugin_folders: Iterable[str]) -> Iterator[File]:
    """Yield the path and stat of files, and of all files in folders.

    A plug-in folder may be the whole disk, so only the files that `plugins` would import are included.
    """
    linked = set[tuple[int, int]]()
    for place in map(Path, places):
        if place.is_dir():
            for entry in entries_below(place, linked):
                if "__pycache__" not in entry.path:  # written by imports
                    dangling = entry.is_symlink() and not Path(entry.path).exists()
                    yield entry.path, entry.stat(follow_symlinks=not dangling)
        elif place.exists():
            yield str(place), place.stat()
    for folder in plugin_folders:
        yield from ((str(path), path.stat()) for path in plugins.python_files(Path(folder)))

"""The outline of a study's plan: what rules ask of it. It is kept until something that it was made from changes."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from touchstone import digests, plugins
from touchstone.numerics import devices
from touchstone.pipeline.planning.parts import FOLDER
from touchstone.provenance import whole_files

PARAMS, STUDIES = Path("params.yaml"), Path("workflow/studies")
FRESH = 24 * 3600.0  # seconds in which the plans of jobs need not be marked as used again


@dataclass(frozen=True)
class Outline:
    """What rules ask of a plan.

    Attributes:
        name: of the study.
        settings: of the study as a whole, such as its device.
        sources: its sources of raw data.
        unpinned: the sources whose bytes no sha256 pins.
        pages: the files that the report consists of besides the page.
        jobs: the jobs that each job reads, by rule/name.
        plans: the digest of each job's plan, by rule/name.
    """

    name: str
    settings: dict[str, Any]
    sources: dict[str, Any]
    unpinned: list[str]
    pages: list[str]
    jobs: dict[str, list[str]]
    plans: dict[str, str]


def outline_of(study: str, lock: Path | None = None) -> Outline:
    """Return the outline of a study, planned and written now or by an earlier command.

    Args:
        study: The name of a study, or the path of its file.
        lock: The requirements file of the environment in which jobs will run; None for this environment.

    Raises:
        ParamsError: Lists every mistake in the settings.
    """
    return kept_outline(study, lock) or _planned(study, lock, _place(study, lock))


def kept_outline(study: str, lock: Path | None = None) -> Outline | None:
    """Return the outline that an earlier command kept; None if there is none, or what it was made from has changed."""
    with suppress(OSError, ValueError, KeyError, TypeError):  # none, or a damaged one
        content = json.loads(_place(study, lock).read_text(encoding="utf-8"))
        if content["behind"] == _states(content["read"], lock) and _is_written(content["written"]):
            plugins.use(content["plugins"])  # jobs find them by the environment that this sets
            return Outline(**content["outline"])
    return None


def _place(study: str, lock: Path | None) -> Path:
    about = [study, str(lock), sys.version, sys.prefix]
    return FOLDER / "outlines" / f"{digests.sha256(json.dumps(about).encode()).removeprefix('sha256:')}.json"


def _planned(study: str, lock: Path | None, kept: Path) -> Outline:
    """Plan a study, write the plans of its jobs and keep its outline."""
    from touchstone.pipeline.planning import apart
    from touchstone.pipeline.planning.plan import Plan  # the imports of planning take longer than reading an outline
    from touchstone.settings.files import typed_path
    from touchstone.settings.study import load

    start = time.time_ns()
    plan = Plan(load(study))
    apart.check(plan.study)
    written = {str(plan.jobs[key]): digest for key, digest in plan.write(lock).items()}
    outline = Outline(
        name=plan.study.name,
        settings=plan.study["study"],
        sources=plan.study["sources"],
        unpinned=plan.layout.unpinned,
        pages=plan.layout.more_pages,
        jobs={str(job): list(job.inputs) for job in plan.jobs.values()},
        plans=written,
    )
    codes = {code.digest.removeprefix("sha256:") for code in plan.codes(lock).values()}
    files = [
        *(FOLDER / f"{digest}.json" for digest in written.values()),
        *(FOLDER / "code" / f"{code}.json" for code in codes),
    ]
    # Folders as they are named, because a link may be switched.
    read = [*plan.study.files, *(str(typed_path(folder)) for folder in plan.study.folders)]
    behind = _states(read, lock)
    if all(max(times) < start for _, *times in behind[1:]):  # otherwise a file was saved while we planned
        content = {
            "read": read,
            "plugins": [str(folder) for folder in plugins.places()[1:]],
            "behind": behind,
            "written": {str(file): digests.file_digest(file) for file in files},
            "outline": asdict(outline),
        }
        whole_files.write_whole(kept, json.dumps(content).encode(), lasting=False)
    return outline


def _states(read: list[str], lock: Path | None) -> list[list[Any]]:
    """Return the state of everything that a plan is made from: path, size, and when it was changed, in nanoseconds.

    Args:
        read: The files of the settings, and the user's own folders of papers and plug-ins.
        lock: The requirements file of the jobs' environment, if it is another than this one.
    """
    # Installing a package changes the folder of all packages, which may also be one of PYTHONPATH.
    paths = sorted({Path(place) for place in sys.path} - {plugins.PACKAGE.parent})
    installed = [place for place in paths if place.is_dir() and any(place.glob("*.dist-info"))]
    places = [*map(Path, read), plugins.PACKAGE, PARAMS, STUDIES, *installed, *([lock] if lock is not None else [])]
    states: list[list[Any]] = [["device", devices.chosen("auto")]]
    for place in places:
        for path in [place] if place in (PARAMS, STUDIES, *installed) else _below(place):
            seen = path.stat() if path.exists() else None
            states.append([str(path), *([seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns] if seen else [0, 0, 0])])
    return states


def _below(folder: Path) -> Iterator[Path]:
    """Yield a file; or a folder, and all files and folders in it that are no compiled code."""
    yield folder
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.is_dir():
            if path.name != "__pycache__":
                yield from _below(path)
        elif path.suffix != ".pyc":
            yield path


def _is_written(wanted: dict[str, str]) -> bool:
    """Return whether the plans of all jobs are there and whole; mark those that were not used for a while.

    Args:
        wanted: The digest of each file. A power cut can leave a file of the same size that holds something else.
    """
    if any(digests.file_digest(Path(name)) != digest for name, digest in wanted.items()):
        return False
    for name in wanted:
        if time.time() - Path(name).stat().st_mtime > FRESH:
            os.utime(name)
    return True

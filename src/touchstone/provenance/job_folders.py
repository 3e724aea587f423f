"""Paths of artefacts: each lies in the folder of the job that makes it, as results/STUDY/RULE/JOB/NAME.ENDING.

Raw files lie in data/raw/SOURCE, because all studies share them, and a report in reports/STUDY.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePath

RESULTS = "results"
RAW = "data/raw"
SIDECAR = "sidecar.json"  # in the folder of a job
_PATH = re.compile(r"((?:.*/)?results/[a-z][a-z0-9_]*/[a-z]+/[^/]+)/(.+)")


def job_of(path: str) -> tuple[str, str]:
    """Return the rule and the name of the job that makes an artefact."""
    first, second, third, *rest = path.split("/", 4)
    if first == RESULTS:
        return third, rest[0]
    return ("fetch", third) if first == "data" else ("report", second)


def folder_of(study: str, job: str) -> str:
    """Return the folder of a job, RULE/NAME, from the project's folder."""
    rule, _, name = job.partition("/")
    return f"data/raw/{name}" if rule == "fetch" else f"{RESULTS}/{study}/{job}"


def split(path: str | PurePath) -> tuple[Path, str] | None:
    """Return the folder of a job, and the path of an artefact within it; None for an artefact that lies elsewhere."""
    found = _PATH.fullmatch(str(path))
    return (Path(found[1]), found[2]) if found else None


def name_of(path: str) -> str:
    """Return the name of an artefact, such as scores/cnn.0/msp/digits_test: its path, without study and job."""
    place = split(path)
    return place[1].rpartition(".")[0] if place else path.removeprefix("data/")

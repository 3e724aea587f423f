"""Run a few tasks as one job of an invented study, in the working folder, and read what they made.

The artefacts of a job lie in results/made/RULE/JOB, and its results in the store `data`, as in every study.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from touchstone.digests import sha256
from touchstone.pipeline.jobs import run
from touchstone.pipeline.jobs.artefacts import Artefacts
from touchstone.pipeline.jobs.job_plan import JobPlan
from touchstone.pipeline.planning.parts import FOLDER, Task
from touchstone.provenance import code, job_folders, sidecar_files, whole_files
from touchstone.provenance.store import Store
from touchstone.records import encoding, metric_tables
from touchstone.records.nouns import KINDS

STUDY = "made"
FACTS = {"step": "prepare", "settings": {}, "inputs": {}, "code": "sha256:none", "definitions": {}, "packages": {}}


def path(name: str, job: str = "train/cnn.0") -> str:
    """Return the path of an artefact of a job."""
    return f"{job_folders.folder_of(STUDY, job)}/{name}.safetensors"


def put(file: str, noun: Any) -> None:
    """Write an artefact, and a record that says nothing of where it came from."""
    put_bytes(file, encoding.encode(noun))


def put_bytes(file: str, data: bytes) -> None:
    """Write the bytes of an artefact, and their record."""
    whole_files.write_whole(Path(file), data, lasting=False)  # not into a link to the store
    place = job_folders.split(file)
    if place is None:
        sidecar_files.write_sidecar(Path(file), sha256(data), FACTS)
        return
    folder, name = place
    there = sidecar_files.read_folder(folder) if (folder / job_folders.SIDECAR).exists() else {}
    sidecar_files.write_job_sidecar(folder, there | {name: {"artefact": sha256(data), **FACTS}})


def artefacts(*tasks: Task, **more: Any) -> Artefacts:
    """Return what a job with these tasks reads and makes; the job is the one that the first task's path names."""
    rule, name = job_folders.job_of(tasks[0].output)
    coded = tuple(_with_code(task) for task in tasks)
    return Artefacts(JobPlan(STUDY, rule, name, coded, {}, more), Store(STUDY))


def _with_code(task: Task) -> Task:
    """Return a task with the digest of its code, which is written where jobs look it up."""
    found = code.code_of(task.step, task.settings)
    file = Path(FOLDER, "code", f"{found.digest.removeprefix('sha256:')}.json")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"definitions": found.definitions, "packages": found.packages}))
    return replace(task, code=found.digest)


def run_tasks(*tasks: Task, recompute: bool = False) -> int:
    """Run tasks as one job and fill its folder; return how many were computed."""
    job = artefacts(*tasks)
    computed = run.run(job, Path("logs"), recompute=recompute)
    if tasks[0].is_cached:
        place = job_folders.split(tasks[0].output)
        assert place is not None
        job.finish(place[0])
    return computed


def read(file: str, kind: str) -> Any:
    """Return the noun of an artefact."""
    data = Path(file).read_bytes()
    return metric_tables.decode(data) if kind == "Metrics" else encoding.decode(data, KINDS[kind])

"""How long jobs take: from what they took here the last time, or else from a run of ours on the same training images.

A training of twice the epochs takes twice as long.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from touchstone.pipeline.jobs import run_records
from touchstone.pipeline.planning.plan import SHARED
from touchstone.provenance import job_folders, sidecar_files
from touchstone.settings.study import Study

TABLE = Path("benchmarks/results/job_seconds.json")  # of our runs, by benchmarks/job_seconds.py
TRAIN_SET = "train_set.json"  # beside a study's logs
HERE, OURS = "what these jobs took here the last time", "our own run of {study}"
Job = tuple[str, str]  # rule and name


@dataclass(frozen=True)
class Estimate:
    """Seconds of computing, and what they are estimated from."""

    seconds: float
    origin: str


def estimate(study: Study, jobs: Iterable[Job]) -> Estimate | None:
    """Return how long some jobs of a study compute; None if nothing like them ever ran.

    A job that never ran is taken to last as long as the same network with another seed, or as its rule does on average.
    """
    jobs, now = list(jobs), epochs(study)
    wanted = set(jobs)
    here = {job: seconds for job, seconds in _seconds_here(study, now).items() if job in wanted}
    if 2 * len(here) >= len(jobs):
        return Estimate(_sum(jobs, here), HERE)
    for name, run in _runs().items():
        if run["train"] == train_set(study):
            ours: dict[Job, float] = {}
            for job, seconds in run["seconds"].items():
                rule, _, work = job.partition("/")
                ours[rule, work] = seconds * _longer((rule, work), now, run["epochs"])
            return Estimate(_sum(jobs, ours), OURS.format(study=name))
    return None


def note_train_set(study: Study) -> None:
    """Note beside a study's run records which images it trains on: a copy of the study then takes as long."""
    path = Path("logs", study.name, TRAIN_SET)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(train_set(study)), encoding="utf-8")


def _alike(study: Study) -> list[str]:
    """Return the other studies here that train on the same images."""
    found = []
    for path in sorted(Path("logs").glob(f"*/{TRAIN_SET}")):
        with suppress(OSError, ValueError):
            if path.parent.name != study.name and json.loads(path.read_text(encoding="utf-8")) == train_set(study):
                found.append(path.parent.name)
    return found


def _seconds_here(study: Study, now: Mapping[str, int]) -> dict[Job, float]:
    """Return how many seconds of computing each job takes with the epochs of now, from when it computed most here.

    A job that the study itself never ran takes what it took in another study on the same images. Some jobs are named for
    their study.
    """
    found: dict[Job, float] = {}
    for names in (_alike(study), [study.name, SHARED]):
        records = [(name, record) for name in names for record in run_records.read(Path("logs", name))]
        for name, record in sorted(records, key=lambda one: str(one[1].get("end"))):
            if "end" in record and (most := run_records.fullest(record)):
                job = record["rule"], study.name if record["name"] == name else record["name"]
                found[job] = float(most["cpu_seconds"]) * _longer(job, now, _epochs_here(name, job))
    return found


def _longer(job: Job, now: Mapping[str, int], then: Mapping[str, int]) -> float:
    """Return how many times as long a job takes now, by the epochs of what it trains."""
    rule, name = job
    entry = name.rpartition(".")[0]
    return now[entry] / then[entry] if rule == "train" and entry in now.keys() & then.keys() else 1


def _epochs_here(study: str, job: Job) -> dict[str, int]:
    """Return {network: its epochs} of what a job trained here the last time; {} if it is no training, or unknown."""
    rule, name = job
    found = {}
    if rule == "train":
        with suppress(OSError, ValueError):  # a damaged or missing sidecar
            for record in sidecar_files.read_folder(Path(job_folders.folder_of(study, f"{rule}/{name}"))).values():
                loop = record["settings"].get("loop", {})
                if "epochs" in loop:
                    found[name.rpartition(".")[0]] = int(loop["epochs"])
    return found


def _sum(jobs: list[Job], known: dict[Job, float]) -> float:
    """Return the seconds of some jobs, from those that are known."""
    alike: dict[Job, list[float]] = {}
    for (rule, name), seconds in known.items():
        for key in ((rule, name), (rule, name.rpartition(".")[0]), (rule, ""), ("", "")):
            alike.setdefault(key, []).append(seconds)
    keys = [[(rule, name), (rule, name.rpartition(".")[0]), (rule, ""), ("", "")] for rule, name in jobs]
    return sum(mean(next(alike[key] for key in choices if key in alike)) for choices in keys)


def train_set(study: Study) -> dict[str, Any]:
    """Return the settings of the images that most networks of a study train on; {} without networks."""
    names = [entry["train"] for entry in study["classifiers"].values() if entry.get("train")]
    most = max(names, key=names.count, default=None)
    return {} if most is None else dict(study["examples"][most])


def epochs(study: Study) -> dict[str, int]:
    """Return the epochs of each network and translator of a study."""
    entries = study["classifiers"] | study["translators"]
    return {name: entry["epochs"] for name, entry in entries.items() if "epochs" in entry}


def _runs() -> dict[str, Any]:
    """Return our own runs; none outside a clone."""
    runs: dict[str, Any] = json.loads(TABLE.read_text(encoding="utf-8")) if TABLE.exists() else {}
    return runs

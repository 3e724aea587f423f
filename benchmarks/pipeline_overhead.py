"""What the pipeline costs beyond computing: the share of a study's core-seconds, a run with nothing to do, planning.

    python benchmarks/pipeline_overhead.py [--root .] [--studies digits fashion_mnist] [--idle tiny] [--seeds 1 3 6]

Three measurements. (1) For each of `studies` with run records under ROOT/logs: the share of cores x time that went into
computing. The rest is what the same run takes in a new folder with every result from ROOT's store: Python's start,
planning, waiting, reading, checking and writing files. Both runs write the report, so the share is a lower bound.
(2) `touchstone run` of each of `idle`, first in full, then with nothing to do.
(3) Snakemake's dry run of the default study with more and more seeds, against that of as many trivial jobs of one file
each, and of jobs without work that have the very folders of the study's. Writes
pipeline_overhead.json and .md.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import yaml

import racing
from racing import Goal, Results
from touchstone.pipeline.jobs import run_records
from touchstone.pipeline.planning.plan import Plan
from touchstone.pipeline.provenance import sidecar_files, store
from touchstone.pipeline.provenance.job_folders import folder_of
from touchstone.pipeline.settings.files import DEFAULT_STUDY
from touchstone.pipeline.settings.study import load

ROOT = racing.HERE.parent
PAUSE = timedelta(minutes=2)  # without any job: the study was run in two goes, and nothing is said of the time between
FROM_STORE = 0.05  # of the artefacts, at most: what is taken from the store was computed some other time
COPIED = ("Snakefile", "params.yaml", "profiles", "pyproject.toml", "requirements.lock", "src", "workflow")
Record = dict[str, Any]


# --- (1) the share of computing -----------------------------------------------------------------------------------


def share(root: Path, study: str, cores: int) -> Results:
    """Return how much of a finished study's core-seconds was computing, and its rules; empty without run records."""
    results = [record for record in run_records.read(root / "logs" / study) if "end" in record and not record["failed"]]
    if not results:
        return {}
    tasks = {key: len(job.tasks) for key, job in Plan(load(study, root)).jobs.items()}
    rules: dict[str, list[Record]] = defaultdict(list)
    for record in results:
        if (record["rule"], record["name"]) in tasks:
            rules[record["rule"]].append(record)
    lines = []
    for rule, of_rule in rules.items():
        artefacts = sum(tasks[rule, record["name"]] for record in of_rule)
        lines.append(
            {
                "rule": rule,
                "jobs": len(of_rule),
                "seconds": sum(map(job_seconds, of_rule)),
                "from_store": artefacts - sum(record["computed"] for record in of_rule),
                "artefacts": artefacts,
            }
        )
    wall, goes = time_at_work(results)
    with bare(root) as folder:
        wall += goes * racing.seconds(partial(dry_run, folder, study))
        shutil.copytree(root / "data/raw", folder / "data/raw")
        copying = racing.seconds(partial(run_from_store, root, folder, study, cores))
    return {
        "study": study,
        "cores": cores,
        "goes": goes,
        "wall_seconds": wall,
        "copying_seconds": copying,
        "from_store": sum(line["from_store"] for line in lines) / sum(line["artefacts"] for line in lines),
        "share": 1 - copying / wall,
        "lines": sorted(lines, key=lambda line: -line["seconds"]),
    }


def run_from_store(root: Path, folder: Path, study: str, cores: int) -> None:
    """Run a study with the store of the folder where it was run before. NotEqual if a network is trained."""
    variables = {store.VARIABLE: str(root.resolve() / store.FOLDER)}
    line = [sys.executable, "-m", "touchstone", "run", study, "--cores", str(cores)]
    subprocess.run(line, cwd=folder, env=os.environ | variables, capture_output=True, check=True)
    trained = [record for record in run_records.read(folder / "logs" / study) if record["rule"] == "train"]
    computed = sum(record["computed"] for record in trained)
    racing.require(computed == 0, f"{study}: {computed} networks are not in the store")


def job_seconds(record: Record) -> float:
    """Return how long a job took, its start of Python and its planning apart."""
    return (datetime.fromisoformat(record["end"]) - datetime.fromisoformat(record["start"])).total_seconds()


def time_at_work(results: list[Record]) -> tuple[float, int]:
    """Return the seconds from first start to last end, pauses left out, and in how many goes the study was run."""
    spans = sorted((datetime.fromisoformat(r["start"]), datetime.fromisoformat(r["end"])) for r in results)
    total, goes = timedelta(), 1
    begin, last = spans[0]
    for start, end in spans[1:]:
        if start - last > PAUSE:
            total, goes, begin = total + (last - begin), goes + 1, start
        last = max(last, end)
    return (total + last - begin).total_seconds(), goes


# --- (2) a run with nothing to do ---------------------------------------------------------------------------------


def idle(root: Path, study: str, rounds: int) -> Results:
    """Return the times of `touchstone run` of a finished study, which is finished first. NotEqual where something is run."""

    def run() -> None:
        line = [sys.executable, "-m", "touchstone", "run", study]
        said = subprocess.run(line, cwd=root, capture_output=True, text=True, check=True).stdout
        racing.require("Nothing to do" in said, f"{study}: a second run finds something to do")

    subprocess.run([sys.executable, "-m", "touchstone", "run", study], cwd=root, capture_output=True, check=True)
    run()
    return {"study": study, **racing.interleaved({"run": run}, rounds, warm_up=False)}


# --- (3) planning -------------------------------------------------------------------------------------------------


@contextmanager
def bare(root: Path) -> Iterator[Path]:
    """Yield a folder with the workflow and no data, for dry runs of everything."""
    with tempfile.TemporaryDirectory() as name:
        for part in COPIED:
            source, target = root / part, Path(name) / part
            shutil.copytree(source, target) if source.is_dir() else shutil.copy2(source, target)
        yield Path(name)


def with_seeds(folder: Path, seeds: int) -> str:
    """Return the name of a study written beside the others: the default, with so many seeds where it has several."""
    overlay: dict[str, Any] = {"base": DEFAULT_STUDY}
    resolved = load(DEFAULT_STUDY, folder)
    for section in ("classifiers", "translators"):
        several = [name for name, entry in resolved[section].items() if len(entry.get("seeds", [0])) > 1]
        overlay[section] = {name: {"seeds": list(range(seeds))} for name in several}
    name = f"planned_{seeds}"
    (folder / f"workflow/studies/{name}.yaml").write_text(yaml.safe_dump(overlay))
    return name


def dry_run(folder: Path, study: str | None = None) -> None:
    """Have Snakemake plan everything."""
    line = [sys.executable, "-m", "snakemake", "--dry-run", "--quiet", "all", "--cores", "1"]
    config = ["--config", f"study={study}"] if study else []
    subprocess.run(line + config, cwd=folder, capture_output=True, check=True)


def trivial(folder: Path, root: Path, jobs: int) -> Path:
    """Write a workflow of so many jobs of one file each."""
    rules = f"rule all:\n    input: [f'made/{{n}}' for n in range({jobs})]\nrule one:\n    output: 'made/{{n}}'\n"
    return workflow(folder, root, rules + "    shell: 'touch {output}'\n")


def same_folders(folder: Path, root: Path, plan: Plan) -> Path:
    """Write a workflow of the study's jobs with the folders that they read and make, a rule each, and no work in them."""
    name = plan.study.name
    rules = [f"rule all:\n    input: {plan.layout.page!r}\n"]
    for number, job in enumerate(plan.jobs.values()):
        folder_made = folder_of(name, str(job))
        made = [repr(plan.layout.page)] if job.rule == "report" else [f"directory({folder_made!r})"]
        if job.rule == "fetch":
            made.append(repr(folder_made + sidecar_files.BESIDE))
        read = [repr(folder_of(name, other)) for other in job.inputs]
        lines = ([f"    input: {', '.join(read)}"] if read else []) + [
            f"    output: {', '.join(made)}",
            "    shell: 'true'",
        ]
        rules.append("\n".join([f"rule job{number}:", *lines, ""]))
    return workflow(folder, root, "\n".join(rules))


def workflow(folder: Path, root: Path, rules: str) -> Path:
    """Write a Snakefile with our own profile beside it."""
    folder.mkdir()
    shutil.copytree(root / "profiles", folder / "profiles")
    (folder / "Snakefile").write_text(rules)
    return folder


def planning(root: Path, seeds: list[int], rounds: int, alone: bool = False) -> list[Results]:
    """Return the times of planning the default study with each number of seeds, and unless it is to be planned alone, of
    workflows with as many jobs.
    """
    lines = []
    with bare(root) as folder, tempfile.TemporaryDirectory() as name:
        for count in seeds:
            study = with_seeds(folder, count)
            plan = Plan(load(study, folder))
            jobs = len(plan.jobs)
            contestants = {"touchstone": partial(dry_run, folder, study)}
            if not alone:
                contestants |= {
                    "trivial": partial(dry_run, trivial(Path(name) / f"trivial{count}", root, jobs)),
                    "same folders": partial(dry_run, same_folders(Path(name) / f"same{count}", root, plan)),
                }
            taken = racing.interleaved(contestants, rounds, warm_up=False, clock=racing.processor_seconds)
            lines.append({"seeds": count, "jobs": jobs, "artefacts": len(plan.tasks), **taken})
    return lines


# --- all three ----------------------------------------------------------------------------------------------------


def measured(options: argparse.Namespace) -> Results:
    """Return all measurements that the options select."""
    shares = [share(options.root, study, options.cores) for study in options.studies]
    idles = [idle(options.root, study, options.rounds) for study in options.idle]
    plans = planning(options.root, sorted(options.seeds), options.rounds, options.alone)
    goals = [
        Goal(f"{one['study']}: share of core-seconds computing", one["share"], 0.75, "at least")
        for one in shares
        if one and one["from_store"] <= FROM_STORE
    ]
    goals += [Goal(f"{one['study']}: seconds of a run with nothing to do", one["run"]["seconds"], 2) for one in idles]
    if plans and not options.alone:
        most = plans[-1]
        ratio = most["touchstone"]["seconds"] / most["trivial"]["seconds"]
        goals += [Goal(f"planning {most['jobs']} jobs, in units of as many trivial ones", ratio, 1.3)]
    if len(plans) > 1:
        sizes, spent = [line["jobs"] for line in plans], [line["touchstone"]["seconds"] for line in plans]
        goals += [Goal("planning: exponent with the number of jobs", racing.exponent(sizes, spent), 1.05)]
    return {
        "command": racing.command(),
        "machine": racing.machine("snakemake"),
        "shares": shares,
        "without_records": [study for study, one in zip(options.studies, shares, strict=True) if not one],
        "idle": idles,
        "planning": plans,
        "goals": [goal.as_json() for goal in goals],
    }


def page(results: Results) -> str:
    """Return everything as Markdown."""
    parts = []
    for one in filter(None, results["shares"]):
        rows = [
            (line["rule"], line["jobs"], f"{line['from_store']} of {line['artefacts']}", f"{line['seconds']:.0f}")
            for line in one["lines"]
        ]  # fmt: skip
        columns = ("rule", "jobs", "artefacts from the store", "seconds")
        parts += [
            f"## {one['study']}: at least {one['share']:.0%} computing",
            f"{one['from_store']:.0%} of the artefacts came from the store. {one['cores']} cores for"
            f" {one['wall_seconds']:.0f} s in {one['goes']} go(es), planning included. The same in a new folder with every"
            f" result from the store: {one['copying_seconds']:.0f} s.",
            racing.table(columns, rows),
        ]
    if results["without_records"]:
        parts += [f"No run records, so no share: {', '.join(results['without_records'])}."]
    if results["idle"]:
        idles = [(one["study"], racing.shown(one["run"])) for one in results["idle"]]
        parts += ["## Nothing to do", racing.table(("study", "seconds"), idles)]
    if results["planning"]:
        rows = [
            (f"{DEFAULT_STUDY}, {line['seeds']} seeds", line["jobs"], line["artefacts"],
             *(racing.shown(line[name]) if name in line else "-" for name in ("touchstone", "trivial", "same folders")))
            for line in results["planning"]
        ]  # fmt: skip
        columns = ("study", "jobs", "artefacts", "touchstone", "as many trivial jobs", "jobs with the same folders")
        parts += ["## Planning from nothing: processor seconds of a dry run", racing.table(columns, rows)]
    return racing.page(
        "The pipeline beyond computing",
        "Wall-clock seconds where nothing else is said; medians (least to greatest).",
        results,
        *parts,
    )


def main() -> None:
    """Measure and write the tables."""
    parser = racing.parser(__doc__, rounds=3)
    parser.add_argument("--root", type=Path, default=ROOT, help="where the studies were run")
    parser.add_argument("--studies", nargs="*", default=["digits", "fashion_mnist"], help="whose run records are read")
    parser.add_argument("--cores", type=int, default=2, help="that the studies were run on")
    parser.add_argument("--idle", nargs="*", default=["tiny"], help="studies to run, then to run with nothing to do")
    parser.add_argument("--seeds", type=int, nargs="*", default=[1, 3, 6], help="the default study is planned with")
    parser.add_argument("--alone", action="store_true", help="plan the study, and no other workflows of as many jobs")
    options = parser.parse_args()
    racing.begin(options.threads)
    results = measured(options)
    racing.write(options.out, "pipeline_overhead", results, page(results))


if __name__ == "__main__":
    main()

"""What the workflow costs: one study by Snakemake and by `make run`, each from an empty store; and what planning costs.

    python benchmarks/pipeline_overhead.py [--study tiny] [--before REVISION] [--cores 2] [--rounds 1] [--times 10]

Each contestant runs the committed files of this repository in a new clone, with the raw files that are here.
`snakemake --use-conda` takes part if conda is installed; its environment is made before. `--before` names a commit whose
`make run` takes part, too. All contestants of this commit must give the same values. Then Snakemake's dry run is timed,
of the finished study and of one with so many times the seeds. Processor seconds are those of the whole machine, because
jobs run in forks of a process that nobody waits for. So nothing else may run. Writes pipeline_overhead.json and .md.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import yaml

import racing
from racing import Goal, Results
from touchstone.pipeline.planning.plan import Plan
from touchstone.provenance.store import VARIABLE
from touchstone.settings.files import read_yaml
from touchstone.settings.study import load

ROOT = racing.HERE.parent
CONDA, PLAIN, MAKE, BEFORE = "snakemake --use-conda", "snakemake", "make run", "make run, the commit before"
FOLDERS = {CONDA: "conda", PLAIN: "plain", MAKE: "make", BEFORE: "before"}  # of their clones
DONE, MORE = "finished study", "more seeds"
MOST = {CONDA: 1.2, PLAIN: 1.1}  # wall seconds, in units of `make run`
PLANNING = {DONE: 3, MORE: 6}  # seconds of a dry run
BUSY = (1, 2, 3, 6, 7)  # columns of /proc/stat: user, nice, system, interrupts


# --- a study from an empty store ----------------------------------------------------------------------------------


def clone(folder: Path, revision: str) -> None:
    """Clone a commit of this repository, with the raw files that are here and the same Python."""
    subprocess.run(["git", "clone", "--quiet", "--shared", "--no-checkout", ROOT, folder], check=True)
    subprocess.run(["git", "checkout", "--quiet", "--detach", revision], cwd=folder, check=True)
    (folder / ".venv").symlink_to(sys.prefix)
    if (ROOT / "data/raw").is_dir():
        shutil.copytree(ROOT / "data/raw", folder / "data/raw", dirs_exist_ok=True)


def command(name: str, study: str, cores: int) -> list[str]:
    """Return the command line of a contestant."""
    if name in (MAKE, BEFORE):
        return ["make", "--old-file", ".venv/run-time", "run", f"STUDY={study}", f"CORES={cores}"]
    conda = ["--use-conda", "--conda-prefix", str(ROOT / "build/conda")] if name == CONDA else []
    return [sys.executable, "-m", "snakemake", "--cores", str(cores), *conda, "--config", f"study={study}"]


def started(words: Sequence[str], folder: Path) -> None:
    """Run a command in a clone, with its code and with a store of its own."""
    variables = {key: value for key, value in os.environ.items() if key != VARIABLE}
    variables["PYTHONPATH"] = str(folder / "src")
    done = subprocess.run(words, cwd=folder, env=variables, capture_output=True, text=True)
    said = (done.stdout + done.stderr)[-2000:]
    racing.require(done.returncode == 0, f"{' '.join(words)} ends with exit code {done.returncode}: {said}")


def busy_seconds() -> float:
    """Return the processor time that this machine has spent since it started."""
    line = Path("/proc/stat").read_text().splitlines()[0].split()
    return sum(int(line[column]) for column in BUSY) / os.sysconf("SC_CLK_TCK")


def values(folder: Path, study: str) -> Counter[tuple[str, ...]]:
    """Return what the metric rows of a finished study say."""
    lines = gzip.decompress((folder / f"reports/{study}/metrics.csv.gz").read_bytes()).decode().splitlines()
    names = ("evaluation", "entry", "examples", "metric", "value", "low", "high")
    return Counter(tuple(row[name] for name in names) for row in csv.DictReader(lines))


def runs(folder: Path, study: str, revisions: dict[str, str], cores: int, rounds: int) -> list[Results]:
    """Return the times of each contestant, which take turns; the clone of its last run stays."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in revisions}
    for _ in range(rounds):
        for name, revision in revisions.items():
            place = folder / FOLDERS[name]
            shutil.rmtree(place, ignore_errors=True)
            clone(place, revision)
            words = command(name, study, cores)
            if name == CONDA:
                started([*words, "--conda-create-envs-only"], place)
            before = busy_seconds()
            wall = racing.seconds(partial(started, words, place))
            taken[name].append((wall, busy_seconds() - before))
    usual = values(folder / FOLDERS[MAKE], study)
    lines = []
    for name, both in taken.items():
        differ = (values(folder / FOLDERS[name], study) - usual).total()
        racing.require(name == BEFORE or not differ, f"{name}: {differ} rows of {study} have other values")
        wall, processor = (racing.times(times) for times in zip(*both, strict=True))
        lines.append({"name": name, "wall": wall, "processor": processor, "differ": differ})
    return lines


# --- planning -----------------------------------------------------------------------------------------------------


def with_more_seeds(folder: Path, study: str, times: int) -> str:
    """Return the name of a study written beside the others: this one, with so many times the seeds of its networks."""
    settings, name = load(study, folder), f"{study}_{times}_times"
    file = folder / f"workflow/studies/{study}.yaml"
    content = read_yaml(file)
    changes = content.setdefault("change", {})
    for section in ("classifiers", "translators"):
        for entry, block in settings[section].items():
            changed = changes.setdefault(section, {}).setdefault(entry, {})
            changed["seeds"] = list(range(times * len(block["seeds"])))
    file.with_stem(name).write_text(yaml.safe_dump(content))
    return name


def planning(folder: Path, study: str, times: int, rounds: int) -> list[Results]:
    """Return the times of Snakemake's dry runs in the folder of a finished study."""
    lines = []
    for kind, name in {DONE: study, MORE: with_more_seeds(folder, study, times)}.items():
        plan = Plan(load(name, folder))
        words = [*command(PLAIN, name, 1), "--dry-run", "--quiet", "all"]
        taken = racing.interleaved({kind: partial(started, words, folder)}, rounds)
        lines.append({"kind": kind, "jobs": len(plan.jobs), "artefacts": len(plan.tasks), **taken[kind]})
    return lines


# --- both ---------------------------------------------------------------------------------------------------------


def measured(study: str, before: str | None, cores: int, rounds: int, times: int) -> Results:
    """Return all measurements."""
    names = [*([CONDA] if shutil.which("conda") else []), PLAIN, MAKE]
    revisions = dict.fromkeys(names, "HEAD") | ({BEFORE: before} if before else {})
    with tempfile.TemporaryDirectory() as folder:
        lines = runs(Path(folder), study, revisions, cores, rounds)
        planned = planning(Path(folder, FOLDERS[PLAIN]), study, times, rounds)
    return {
        "command": racing.command(),
        "machine": racing.machine("snakemake"),
        "study": study,
        "cores": cores,
        "times": times,
        "runs": lines,
        "planning": planned,
        "goals": [goal.as_json() for goal in goals(study, lines, planned)],
    }


def goals(study: str, lines: list[Results], planned: list[Results]) -> list[Goal]:
    """Return what is asked of the contestants and of planning."""
    wall = {line["name"]: line["wall"]["seconds"] for line in lines}
    found = [
        Goal(f"{study}: {name}, in units of `{MAKE}`", wall[name] / wall[MAKE], most)
        for name, most in MOST.items()
        if name in wall
    ]
    if BEFORE in wall:
        found.append(Goal(f"{study}: `{MAKE}`, in units of that of the commit before", wall[MAKE] / wall[BEFORE], 1))
    return found + [
        Goal(f"{study}, {line['kind']}: seconds of a dry run", line["seconds"], PLANNING[line["kind"]])
        for line in planned
    ]


def page(results: Results) -> str:
    """Return everything as Markdown."""
    usual = next(line["wall"]["seconds"] for line in results["runs"] if line["name"] == MAKE)
    rows = [
        (
            line["name"],
            racing.shown(line["wall"]),
            f"{line['wall']['seconds'] / usual:.2f}",
            racing.shown(line["processor"]),
            line["differ"],
        )
        for line in results["runs"]
    ]
    dry = [(line["kind"], line["jobs"], line["artefacts"], racing.shown(line)) for line in results["planning"]]
    columns = ("contestant", "seconds", f"in units of {MAKE}", "processor seconds", "rows with other values")
    return racing.page(
        "The workflow beyond computing",
        "Wall-clock seconds where nothing else is said: median (least to greatest).",
        results,
        f"## {results['study']} from an empty store, on {results['cores']} cores",
        racing.table(columns, rows),
        f"## Planning {results['study']}; more seeds are {results['times']} times as many",
        racing.table(("study", "jobs", "artefacts", "seconds of a dry run"), dry),
    )


def main() -> None:
    """Measure and write the tables."""
    parser: argparse.ArgumentParser = racing.parser(__doc__, rounds=1)
    parser.add_argument("--study", default="tiny", help="the name of a shipped study")
    parser.add_argument("--before", help="a revision of git to compare with")
    parser.add_argument("--cores", type=int, default=2, help="of each contestant")
    parser.add_argument("--times", type=int, default=10, help="as many seeds, of the second study that is planned")
    options = parser.parse_args()
    racing.begin(options.threads)
    results = measured(options.study, options.before, options.cores, options.rounds, options.times)
    racing.write(options.out, "pipeline_overhead", results, page(results))


if __name__ == "__main__":
    main()

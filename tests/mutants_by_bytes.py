"""Show that a mutant of the package which the digest of a job's code does not notice changes no byte of what the job makes.

Run as `.venv/bin/python tests/mutants_by_bytes.py --seed 0 --minutes 50`. It makes `tiny` in a copy of the repository, and
draws mutants of the files of the package that any of its jobs imports or opens. For each mutant it plans `tiny` again. A
job notices the mutant if two things change: the digest of its plan, which Snakemake compares, and the key of each of its
tasks in the store. Jobs that do not notice it, but import or open its file, are run with the mutant and an empty store, in
a copy of what they read. All that they write, with its records, must have the bytes that it has without the mutant. Of
jobs with the same code, one is tried.

A job that stops writes no bytes, and what an earlier run wrote stays true. So this is reported, but is no hole.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

os.environ["PYTHONDONTWRITEBYTECODE"] = "1"  # a mutant leaves no compiled file behind

import conftest  # noqa: F401  # it puts temporary folders in memory
import forks
from mutants import Mutant, Sources
from projects import Project, compiled, copy_of_repository
from touchstone.pipeline.jobs import job_plan, warm

PLAN, JOB = (Path(__file__).with_name(name).read_text() for name in ("mutant_jobs.py", "watched_job.py"))
PACKAGE = "src/touchstone"
PATIENCE = 600  # seconds for a job that waits
READ, WRITTEN = ("data/raw", "results", "reports"), ("results", "reports")
MARK = ".snakemake_timestamp"  # Snakemake leaves it in folders
FINE = ("writes the same bytes", "does not import or open the file", "not drawn")
Facts = dict[str, Any]  # of a job, as mutant_jobs.py prints them


@dataclass(frozen=True)
class Ran:
    """What became of a job: its exit code, its errors, the files of the package it used, and the files that differ."""

    code: int
    errors: str
    used: list[str]
    differing: list[str]


def alone(project: Project) -> Project:
    """Return a project whose commands have the variables of a job, and run in their own process."""
    own = {"PYTHONPATH": str(project.root / "src"), warm.VARIABLE: warm.OFF}
    return replace(project, environment=forks.VARIABLES | own)


def planned(project: Project, plans: Path) -> dict[str, Facts] | str:
    """Return the facts of each job, as the code that is there plans them; the last error if it cannot."""
    done = project.forked(["-c", PLAN, str(plans)], check=False, server=forks.server())
    if done.returncode:
        return (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1]
    found: dict[str, Facts] = json.loads(done.stdout.splitlines()[-1])
    return found


def run(project: Project, facts: Facts, plans: Path) -> Ran:
    """Run a job with an empty store, in a copy of what it reads."""
    with tempfile.TemporaryDirectory() as name:
        scratch, used = Project(Path(name)), Path(name, "used")
        for part in READ:
            (scratch.root / part).parent.mkdir(exist_ok=True)
            subprocess.run(["cp", "-a", project.root / part, scratch.root / part], check=True)
        output = scratch.root / facts["words"][facts["words"].index("--output") + 1]
        shutil.rmtree(output if output.is_dir() else output.parent)  # a report has files beside it
        variables = forks.variables(project.variables()) | {job_plan.VARIABLE: str(plans)}
        words = ["-c", JOB, str(project.root / PACKAGE), str(used), *facts["words"]]
        done = forks.server().run(words, scratch.root, variables, PATIENCE)
        files = used.read_text().splitlines() if used.exists() else []
        return Ran(done.returncode, done.stderr, files, differing(project, scratch))


def differing(project: Project, scratch: Project) -> list[str]:
    """Return the files that jobs have written of which two projects do not have the same bytes."""
    one, other = project.digests(*WRITTEN), scratch.digests(*WRITTEN)
    names = sorted(one.keys() | other.keys())
    return [name for name in names if one.get(name) != other.get(name) and not name.endswith(MARK)]


def unnoticed(before: Facts, now: Facts) -> list[str]:
    """Return the artefacts of a job that would stay, or would be found in the store, although the code changed."""
    if now["digest"] == before["digest"]:
        return list(now["outputs"])
    return [output for output, key in now["keys"].items() if before["keys"].get(output) == key]


def tried(
    project: Project, mutant: Mutant, known: dict[str, Facts], at_most: int, rng: random.Random
) -> dict[str, tuple[str, Ran | None]] | str:
    """Try a mutant; afterwards its file, and what commands keep of parsed files, are as before.

    Args:
        project: A finished project.
        mutant: The mutant.
        known: The facts of jobs without it, as `without_mutants` returns them.
        at_most: How many jobs are run.
        rng: What draws them.

    Returns:
        {job that did not notice the mutant: what became of it}; the last error of a plan that cannot be made.
    """
    path, kept = project.root / PACKAGE / mutant.file, (project.root / ".touchstone").glob("*.json")
    before, state = path.read_bytes(), path.stat()
    parsed = {file: file.read_bytes() for file in kept}
    path.write_bytes(mutant.content)
    try:
        with tempfile.TemporaryDirectory() as plans:
            facts = planned(project, Path(plans))
            if isinstance(facts, str):
                return facts
            missed = {name: unnoticed(known[name], facts[name]) for name in known.keys() & facts.keys()}
            names = sorted(name for name, outputs in missed.items() if outputs)
            able = [name for name in names if mutant.file in known[name]["used"]]
            drawn = rng.sample(able, min(len(able), at_most))
            results = {name: (run(project, facts[name], Path(plans)) if name in drawn else None) for name in names}
    finally:
        path.write_bytes(before)
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
        for file, content in parsed.items():
            file.write_bytes(content)
    found: dict[str, tuple[str, Ran | None]] = {}
    for name, ran in results.items():
        if ran is None:
            found[name] = ("not drawn" if name in able else "does not import or open the file", None)
        else:
            whole = facts[name]["digest"] == known[name]["digest"]
            found[name] = (judged(ran, mutant.file, None if whole else missed[name]), ran)
    return found


def judged(ran: Ran, file: str, outputs: list[str] | None) -> str:
    """Return what became of a job that did not notice a mutant of a file.

    Args:
        ran: What it did.
        file: The file.
        outputs: Its artefacts that would be found in the store; None if Snakemake would not start it.
    """
    if ran.code and outputs is not None:
        return "stops in another task, which noticed it"
    if ran.code:
        at_import = re.search(rf'File "[^"]*/{re.escape(file)}", line \d+, in <module>', ran.errors)
        return "stops when it imports the file" if at_import else "stops"
    wrong = ran.differing if outputs is None else set(outputs) & set(ran.differing)
    return "writes other bytes" if wrong else "writes the same bytes"


def without_mutants(project: Project, only: list[str] | None = None) -> dict[str, Facts]:
    """Return the facts of one job of each code, with the files of the package that it uses.

    Args:
        project: A finished project.
        only: The jobs to take instead.
    """
    with tempfile.TemporaryDirectory() as plans:
        facts = planned(project, Path(plans))
        assert isinstance(facts, dict), facts
        known = {}
        for name in only or sorted({tuple(one["codes"]): name for name, one in facts.items()}.values()):
            ran = run(project, facts[name], Path(plans))
            wrong = ran.errors if ran.code else ran.differing
            assert not wrong, f"without a mutant {name} stops or writes other bytes: {wrong}"
            known[name] = facts[name] | {"used": ran.used}
    return known


def main() -> int:
    """Try mutants for some minutes; return 1 if a job that noticed nothing wrote other bytes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=50)
    parser.add_argument("--at-most", type=int, default=6, help="jobs that are run for each mutant")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        project = copy_of_repository(Path(folder, "project"))
        compiled(project)
        project.snakemake("--cores", "1")
        return trials(alone(project), options)


def trials(project: Project, options: argparse.Namespace) -> int:
    """Try mutants in a finished project; return 1 if a job wrote other bytes."""
    known = without_mutants(project)
    files = sorted(set().union(*(one["used"] for one in known.values())))
    sources, rng = Sources(project.root / PACKAGE, files), random.Random(options.seed)
    print(f"{len(known)} jobs use {len(sources.modules)} modules and {len(sources.data)} data files", flush=True)
    mutants, pairs, end = Counter[str](), Counter[str](), time.monotonic() + 60 * options.minutes
    while time.monotonic() < end:
        mutant = sources.draw(rng)
        mutants[mutant.kind] += 1
        change = f"{mutant.file}: {mutant.kind}: {mutant.change}"
        found = tried(project, mutant, known, options.at_most, rng)
        if isinstance(found, str):
            pairs["no plan"] += len(known)
            print(f"no plan: {change}: {found}", flush=True)
            continue
        pairs["noticed"] += len(known) - len(found)
        for name, (words, ran) in sorted(found.items()):
            pairs[words] += 1
            if ran is not None and words not in FINE:
                said = f"{ran.code} {ran.errors.strip().splitlines()[-1:]} {ran.differing[:2]}"
                print(f"{words}: {name}: {change}: {said}", flush=True)
    print(f"seed {options.seed}: {mutants.total()} mutants: {dict(mutants)}")
    print(f"{pairs.total()} pairs of a mutant and a job: {dict(pairs)}")
    return int(pairs["writes other bytes"] > 0)


if __name__ == "__main__":
    raise SystemExit(main())

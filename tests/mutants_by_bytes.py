"""Show that a mutant of the package which the digest of a job's code does not notice changes no byte of what the job makes.

Run as `.venv/bin/python tests/mutants_by_bytes.py --seed 0 --minutes 50`. It makes `tiny` in a copy of the repository, and
draws mutants of the files of the package that any of its jobs imports or opens. For each mutant it plans `tiny` again, and
takes one job of each step and components. A job notices the mutant if both change: what Snakemake compares (the digests of
settings and code, and the outputs), and the key of each result in the lookup of results. Jobs that do not notice it, but
import or open its file, are run with the mutant and without stored results. All that they write, with its records, must
have the bytes that it has without the mutant. Only the record of a download whose digest the settings pin may differ.

A job that stops writes no bytes, and what an earlier run wrote stays true. So this is reported, but is no hole.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

os.environ["PYTHONDONTWRITEBYTECODE"] = "1"  # a mutant leaves no compiled file behind

import conftest  # noqa: F401  # it puts temporary folders in memory
import forks
from mutants import Mutant, Sources
from projects import Project, compiled, copy_of_repository

SCRIPT = Path(__file__).with_name("mutant_jobs.py")
FINE = ("writes the same bytes", "does not import or open the file", "not drawn")


def asked(project: Project, **request: Any) -> Any:
    """Return what mutant_jobs.py says, or its last error as a text."""
    file = project.root.parent / "request.json"
    file.write_text(json.dumps(request))
    done = project.forked(
        [
            "-c",
            f"import runpy, sys; sys.argv = ['', {str(file)!r}]; runpy.run_path({str(SCRIPT)!r}, run_name='__main__')",
        ],
        check=False,
        server=forks.server(),
    )
    if done.returncode:
        return (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1]
    return json.loads(done.stdout.splitlines()[-1])


def tried(project: Project, mutant: Mutant, **request: Any) -> Any:
    """Return what mutant_jobs.py says about a mutant; afterwards its file, and what files were parsed to, are as before."""
    path, parsed = project.root / "src/touchstone" / mutant.file, project.root / ".touchstone"
    before, state = path.read_bytes(), path.stat()
    path.write_bytes(mutant.content)
    try:
        return asked(project, file=mutant.file, **request)
    finally:
        path.write_bytes(before)
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
        shutil.rmtree(parsed)
        shutil.copytree(Path(request["whole"], ".touchstone"), parsed)


def judged(one: dict[str, Any], file: str) -> str:
    """Return what became of a job that did not notice a mutant of a file."""
    if not one["uses"]:
        return "does not import or open the file"
    if "code" not in one:
        return "not drawn"
    if one["code"] and not one["by_plan"]:
        return "stops in another task, which noticed it"
    if one["code"]:
        at_import = re.search(rf'File "[^"]*/{re.escape(file)}", line \d+, in <module>', one["errors"])
        return "stops when it imports the file" if at_import else "stops"
    return "writes other bytes" if one["differing"] else "writes the same bytes"


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
        return trials(project, project.copy(Path(folder, "whole")).root, options)


def trials(made: Project, whole: Path, options: argparse.Namespace) -> int:
    """Try mutants in a finished project, of which `whole` is a copy; return 1 if a job wrote other bytes."""
    own = {"PYTHONPATH": str(made.root / "src"), "TOUCHSTONE_CACHE": "off", "TOUCHSTONE_WARM": "off"}
    project = Project(made.root, forks.VARIABLES | own)
    known = asked(project, whole=str(whole))
    wrong = {name: one["errors"] or one["differing"] for name, one in known.items() if one["code"] or one["differing"]}
    assert not wrong, f"without a mutant these jobs stop or write other bytes: {wrong}"
    files = sorted(set().union(*(one["files"] for one in known.values())))
    sources, rng = Sources(project.root / "src/touchstone", files), random.Random(options.seed)
    print(f"{len(known)} jobs use {len(sources.modules)} modules and {len(sources.data)} data files", flush=True)
    mutants, pairs, end = Counter[str](), Counter[str](), time.monotonic() + 60 * options.minutes
    while time.monotonic() < end:
        mutant = sources.draw(rng)
        found = tried(
            project, mutant, known=known, whole=str(whole), at_most=options.at_most, seed=rng.randrange(2**32)
        )
        mutants[mutant.kind] += 1
        if isinstance(found, str):
            pairs["no plan"] += len(known)
            print(f"no plan: {mutant.file}: {mutant.kind}: {mutant.change}: {found}", flush=True)
            continue
        pairs["noticed"] += len(known) - len(found)
        for name, one in sorted(found.items()):
            pairs[words := judged(one, mutant.file)] += 1
            if words not in FINE:
                said = f"{one['code']} {one['errors'].strip().splitlines()[-1:]} {one['differing'][:2]}"
                print(f"{words}: {name}: {mutant.file}: {mutant.kind}: {mutant.change}: {said}", flush=True)
    print(f"seed {options.seed}: {mutants.total()} mutants: {dict(mutants)}")
    print(f"{pairs.total()} pairs of a mutant and a job: {dict(pairs)}")
    return int(pairs["writes other bytes"] > 0)


if __name__ == "__main__":
    raise SystemExit(main())

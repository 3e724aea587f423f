"""Plan `tiny` with the code that is here, and run jobs whose plan or lookup of a result did not notice that it is a mutant's.

Run as `python mutant_jobs.py REQUEST` in a finished project, forked from a process that has imported torch and nothing of
touchstone. Prints JSON; mutants_by_bytes.py, which calls it, says what it shows.
"""

from __future__ import annotations

import json
import os
import random
import resource
import runpy
import shutil
import signal
import sys
import tempfile
import traceback
import zipfile
from pathlib import Path
from typing import Any, NoReturn

STUDY = "tiny"
SECONDS = 60  # of a processor that a job may take; without a mutant the longest takes 10
MEMORY = 8 * 2**30  # bytes of data of a process
FOLDERS = ("data", "reports")  # where jobs write
SIDECAR = ".prov.json"
MARK = ".snakemake_timestamp"  # Snakemake leaves it in folders

opened = set[str]()
sys.addaudithook(lambda event, arguments: opened.add(str(arguments[0])) if event == "open" else None)


class Jobs:
    """The jobs of the study as the code here plans them, by their names."""

    def __init__(self) -> None:
        from touchstone import plugins
        from touchstone.pipeline.planning.plan import digests_of, plan_of

        plan = plan_of(STUDY)  # which the forks keep
        self.package, self.digests_of = plugins.PACKAGE, digests_of
        self.jobs = {
            f"{rule.name} {','.join(f'{k}={v}' for k, v in w.items())}".strip(): (rule, w) for rule, w in plan.jobs()
        }
        self.tasks = {name: plan.tasks(rule, **wildcards) for name, (rule, wildcards) in self.jobs.items()}

    def of_each_code(self) -> list[str]:
        """Return one job of each digest of code: one of each step and components."""
        codes = {self.digests_of(tasks)[1]: name for name, tasks in self.tasks.items()}
        return sorted(codes.values())

    def planned(self, name: str) -> list[Any]:
        """Return what makes Snakemake run a finished job again if it changes: digests of settings and code, and outputs."""
        return [*self.digests_of(self.tasks[name]), [task.output for task in self.tasks[name]]]

    def looked_up(self, name: str) -> dict[str, str]:
        """Return the key of each result of a job in the lookup of results, by its output; {} if the job stops before."""
        from touchstone.pipeline.jobs.job import Job
        from touchstone.pipeline.jobs.outputs import Outputs
        from touchstone.pipeline.jobs.reader import Reader
        from touchstone.pipeline.planning.steps import STEPS

        reader, tasks = Reader(), self.tasks[name]
        with Outputs() as outputs:
            return {
                task.output: Job(task, reader, outputs, Path("logs")).action
                for task in tasks
                if STEPS[task.step].cached
            }

    def has_code(self, name: str) -> bool:
        """Return whether a job's digest starts from any code: not if it is a download whose digest the settings pin."""
        from touchstone.pipeline.provenance import code

        return any(code.roots(task.step, task.settings) for task in self.tasks[name])

    def run(self, name: str) -> tuple[int, str, list[str]]:
        """Run a job in a fork, without stored results; return its exit code, its errors and the files that it used."""
        rule, wildcards = self.jobs[name]
        settings, code, outputs = self.planned(name)
        for file in {output.partition("#")[0] for output in outputs}:
            remove(Path(file).parent if rule.step == "report" else Path(file))  # the report has files beside it
            remove(Path(f"{file}{SIDECAR}"))
        pairs = ",".join(f"{key}={value}" for key, value in wildcards.items())
        arguments = ["job", f"{rule.name}:{settings}", *[pairs] * bool(pairs), f"--study={STUDY}", "--code", code]
        with tempfile.TemporaryDirectory() as folder:
            files = [Path(folder, kind) for kind in ("stdout", "stderr", "used")]
            child = os.fork()
            if not child:
                become_job(arguments, files, self.package)
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            used = files[2].read_text().split("\n") if files[2].exists() else []
            return code, files[1].read_text(errors="replace"), used


def become_job(arguments: list[str], files: list[Path], package: Path) -> NoReturn:
    """Run `python -m touchstone ARGUMENTS`, then write which files of the package this process has imported or opened."""
    signal.alarm(10 * SECONDS)  # in case it waits
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    for number, file in enumerate(files[:2], start=1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT), number)
    sys.argv = ["-m", *arguments]
    sys.orig_argv = [sys.executable, "-m", "touchstone", *arguments]
    code: Any = 0
    try:
        runpy.run_module("touchstone", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
        code = 1
    imported = {str(getattr(module, "__file__", "")) for module in list(sys.modules.values())}
    used = imported | {name for name in opened if not name.endswith((".py", ".pyc"))}
    files[2].write_text(
        "\n".join(sorted(str(Path(name).relative_to(package)) for name in used if Path(name).is_relative_to(package)))
    )
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 1)


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def files(root: Path) -> set[str]:
    """Return the files that jobs have written."""
    found = (path for folder in FOLDERS for path in (root / folder).rglob("*") if path.is_file() and path.name != MARK)
    return {str(path.relative_to(root)) for path in found}


def artefact(root: Path, output: str) -> bytes | None:
    """Return the bytes of a file, or of a member of a bundle; None if it is not there."""
    file, _, member = output.partition("#")
    try:
        return zipfile.ZipFile(root / file).read(member) if member else (root / file).read_bytes()
    except (OSError, KeyError, zipfile.BadZipFile):
        return None


def differing(whole: Path, outputs: list[str] | None) -> list[str]:
    """Return what differs from the whole project, which also puts it right again.

    Args:
        whole: A copy of the project, made without a mutant.
        outputs: The outputs to compare, each without its record; None for every byte of every file.
    """
    here = Path()
    found = [name for name in sorted(files(here) | files(whole)) if artefact(here, name) != artefact(whole, name)]
    chosen = found if outputs is None else [name for name in outputs if artefact(here, name) != artefact(whole, name)]
    for name in found:
        remove(here / name)
        if (whole / name).is_file():
            (here / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(whole / name, name)
    return chosen


def unnoticed(known: dict[str, Any], planned: list[Any], looked_up: dict[str, str]) -> list[str]:
    """Return the outputs of a job that would stay, or would be found in the lookup, although the code changed."""
    if planned == known["planned"]:
        return list(planned[2])
    return [output for output, key in looked_up.items() if known["looked_up"].get(output) == key]


def keys_of(jobs: Jobs, name: str) -> tuple[list[Any], dict[str, str]]:
    """Return what the plan and the lookup compare; a job that stops before the lookup finds nothing there."""
    try:
        return jobs.planned(name), jobs.looked_up(name)
    except Exception:  # noqa: BLE001
        return jobs.planned(name), {}


def without_mutant(whole: Path, only: list[str] | None = None) -> dict[str, Any]:
    """Return the keys of one job of each code, the files of the package that it uses, and what it makes otherwise.

    Args:
        whole: A copy of the project.
        only: The jobs to take instead.
    """
    jobs, known = Jobs(), {}
    for name in only or jobs.of_each_code():
        planned, looked_up = jobs.planned(name), jobs.looked_up(name)
        code, errors, used = jobs.run(name)
        known[name] = {"planned": planned, "looked_up": looked_up, "files": used, "code": code, "errors": errors}
        known[name]["differing"] = differing(whole, None)
    return known


def with_mutant(whole: Path, known: dict[str, Any], file: str, at_most: int, seed: int) -> dict[str, Any]:
    """Return, for each job that did not notice the mutant of a file, what became of it: {name: ...}."""
    jobs, found = Jobs(), {}
    for name in known.keys() & jobs.jobs.keys():
        planned, looked_up = keys_of(jobs, name)
        if outputs := unnoticed(known[name], planned, looked_up):
            found[name] = {
                "outputs": outputs,
                "by_plan": planned == known[name]["planned"],
                "uses": file in known[name]["files"],
            }
    able = sorted(name for name in found if found[name]["uses"])
    for name in random.Random(seed).sample(able, min(len(able), at_most)):
        one = found[name]
        one["code"], one["errors"], _ = jobs.run(name)
        found_differing = differing(whole, None if one["by_plan"] else one["outputs"])
        one["differing"] = [file for file in found_differing if jobs.has_code(name) or not file.endswith(SIDECAR)]
    return found


if __name__ == "__main__":
    request = json.loads(Path(sys.argv[1]).read_text())
    request["whole"] = Path(request["whole"])
    print(json.dumps(with_mutant(**request) if "known" in request else without_mutant(**request)))

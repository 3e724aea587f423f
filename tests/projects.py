"""A working copy of the repository, and the commands that people type in it."""

from __future__ import annotations

import compileall
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

import command_server
import forks
from command_server import CommandServer
from touchstone.pipeline.jobs import warm
from touchstone.pipeline.planning.plan import Plan
from touchstone.provenance import code
from touchstone.provenance.job_folders import folder_of
from touchstone.settings.study import load

ROOT = Path(__file__).parents[1]
# Data of the study digits with the grade full: sets of which the papers take more than there is.
FEWER = {"sets": {"few_fit": {"count": 270}, "fewer_to_train": {"use": "subset", "of": "digits_train", "count": 400}}}


def study_text(base: str = "tiny", **changes: Any) -> str:
    """The YAML of a study: `study_text(scale={"epochs": 2}, change={"attacks": {"pgd": {"steps": 3}}})`.

    Args:
        base: the name of a study of ours, YAML, or "" for nothing.
        changes: merged into it key by key; None removes what the base has.
    """
    text = base if not base or "\n" in base else (ROOT / f"workflow/studies/{base}.yaml").read_text()
    return yaml.safe_dump(_merged(yaml.safe_load(text) or {}, changes), sort_keys=False, allow_unicode=True)


def write_study(root: Path, name: str, base: str = "tiny", **changes: Any) -> Path:
    """Write such a study into workflow/studies of a folder; return its path."""
    path = root / f"workflow/studies/{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(study_text(base, **changes))
    return path


def _merged(old: Any, change: Any) -> Any:
    if not isinstance(old, dict) or not isinstance(change, dict):
        return change
    kept = {key: value for key, value in old.items() if key not in change or change[key] is not None}
    more = {key: _merged(old.get(key), value) for key, value in change.items() if value is not None or key not in old}
    return kept | more


@dataclass(frozen=True)
class Project:
    """A working copy, and the commands that people type in it."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)
    as_users: bool = False  # the process that jobs share imports torch itself

    def snakemake(self, *arguments: str, study: str = "tiny", check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.forked(["-m", "snakemake", "--nocolor", *arguments, "--config", f"study={study}"], check)

    def touchstone(self, *arguments: str) -> list[str]:
        """The command line of touchstone itself, of this copy."""
        path = os.pathsep.join([str(self.root / "src"), forks.shared_process()["PYTHONPATH"]])
        return ["env", f"PYTHONPATH={path}", sys.executable, "-m", "touchstone", *arguments]

    def run(self, command: list[str], check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(command, cwd=self.root, capture_output=True, text=True, env=self.variables())
        assert not check or done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done

    def forked(
        self, words: list[str], check: bool = True, server: CommandServer | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run `python WORDS` in a process that has its libraries already: those of Snakemake, unless a server is given."""
        done = (server or command_server.server()).run(words, self.root, self.variables())
        assert not check or done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done

    def forked_touchstone(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run touchstone itself, of this copy, in a process that has the libraries of Snakemake already."""
        own = replace(self, environment=self.environment | {"PYTHONPATH": str(self.root / "src")})
        return own.forked(["-m", "touchstone", *words], check)

    def variables(self) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith("SNAKEMAKE")} | self.environment
        if self.as_users or own.get(warm.VARIABLE) == warm.OFF:
            return own
        shared = forks.shared_process()
        path = os.pathsep.join(filter(None, (own.get("PYTHONPATH"), shared["PYTHONPATH"])))
        return own | shared | {"PYTHONPATH": path}

    def planned(self, *arguments: str, study: str = "tiny") -> Counter[str]:
        """The jobs that a run would do now, by their messages: "Train cnn.0"."""
        done = self.snakemake("--dry-run", "--cores", "2", *arguments, study=study)
        return Counter(re.findall(r"^Job \d+: (.*)$", done.stdout + done.stderr, re.MULTILINE))

    def jobs(self, study: str = "tiny") -> Iterator[list[str]]:
        """Yield the words after `python` that run each job but downloads, in order."""
        kept = (self.root / code.REACHED).read_bytes()
        with contextlib.chdir(self.root):
            plan = Plan(load(study))
            written = plan.write()
        (self.root / code.REACHED).write_bytes(kept)  # this process may have written it of its own code
        for key, job in plan.jobs.items():
            if job.rule != "fetch":
                output = folder_of(study, str(job)) if job.rule != "report" else plan.layout.page
                inputs = [folder_of(study, name) for name in job.inputs]
                yield ["-m", "touchstone", "job", written[key], "--input", *inputs, "--output", output]

    def edit(self, file: str, old: str, new: str) -> None:
        text = (self.root / file).read_text()
        assert old in text, f"{file} no longer holds {old!r}"
        (self.root / file).write_text(text.replace(old, new))

    def copy(self, target: Path) -> Project:
        """Copy the working copy to a new folder. cp takes a third of the kernel time of shutil.copytree.

        What commands keep of the code names files by their whole paths. These are adapted, or the first command in each copy
        would follow all code anew.
        """
        subprocess.run(["cp", "-a", str(self.root), str(target)], check=True)
        if (kept := target / code.REACHED).is_file():
            before, after = (json.dumps(f"{root}/src/")[:-1] for root in (self.root, target))
            kept.write_text(kept.read_text().replace(before, after))
        return Project(target)

    def digests(self, *folders: str) -> dict[str, bytes]:
        files = (path for folder in folders for path in (self.root / folder).rglob("*") if path.is_file())
        return {path.relative_to(self.root).as_posix(): path.read_bytes() for path in files}


def copy_of_repository(target: Path) -> Project:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        source = ROOT / name
        if source.is_file() and not name.startswith("reports/"):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)
    return Project(target)


PARSE = """
import sys
sys.path.insert(0, "src")
from touchstone.pipeline.planning.plan import Plan
from touchstone.provenance.job_folders import folder_of
from touchstone.settings.study import load
Plan(load("tiny")).write()
"""


def compiled(project: Project) -> None:
    """Compile and parse the code and the settings once, as a first command would leave them for the hundreds that follow.

    PYTHONDONTWRITEBYTECODE may keep them from leaving it compiled, and a plan parses 300 files to hash them.
    """
    compileall.compile_dir(project.root / "src", quiet=1)
    (project.root / ".touchstone").mkdir()
    project.forked(["-c", PARSE])


@contextlib.contextmanager
def within(seconds: int) -> Iterator[None]:
    """Fail if the block takes longer."""

    def late(number: int, frame: object) -> None:
        raise TimeoutError(f"took more than {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)

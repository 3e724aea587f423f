"""What `touchstone check STUDY` does: check a study's settings, and count the jobs that a run would start."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import yaml

from touchstone import plugins
from touchstone.audit.problems import counted
from touchstone.commands import _durations
from touchstone.commands._reasons import reasons
from touchstone.messages import nearest, say
from touchstone.numerics import devices
from touchstone.pipeline.jobs import processes
from touchstone.pipeline.orchestration import outdated_results, own_data, recovery, spoilt_files
from touchstone.pipeline.orchestration.snakemake_run import base_command
from touchstone.pipeline.orchestration.stored_tasks import stored_tasks
from touchstone.pipeline.planning import apart
from touchstone.pipeline.planning.outline import outline_of
from touchstone.pipeline.planning.parts import RULES
from touchstone.pipeline.planning.plan import Plan
from touchstone.provenance import job_folders
from touchstone.provenance.sidecar_files import BESIDE
from touchstone.provenance.store import Store
from touchstone.settings.families import way_to
from touchstone.settings.files import read_yaml
from touchstone.settings.known_sets import known
from touchstone.settings.study import Study, load

SOME_OF = ("data/two_classes", "data/held_out_classes", "data/class_split", "data/without_rows")
NO_ENTRIES = ("study", "papers", "claims", "variants")  # parts of a study's settings that hold no entries
TRAINED = ("classifiers", "translators")
SECTIONS = (*TRAINED, "defences", "attacks", "margins", "detectors", "evaluations")
WIDTH = 120  # letters of a line
UNKNOWN = "not known before a first run here; the head of a study's file says what it took elsewhere"


def check(word: str) -> int:
    """Print what a study measures on what, and what it would run or has run.

    Returns:
        0, or 1 if Snakemake refuses it.

    Raises:
        ParamsError: lists every mistake with file, line and key.
    """
    settings = load(word)
    if warning := devices.warning(settings["study"]["device"]):
        say(f"touchstone: {warning}", stream=sys.stderr)
    own = own_data.check(settings)
    apart.check(settings)
    say(*(f"remark: {remark}" for remark in (*settings.remarks, *_own_code(settings))))
    plan = Plan(settings)
    say(*_entries(settings, own), *_changes(settings), *_totals(plan))
    recovery.check_writable(plan)
    command = [*base_command(word, "all"), "--summary", "--quiet", "host"]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "NO_COLOR": "1"})
    if done.returncode != 0:
        print((done.stdout + done.stderr).strip(), file=sys.stderr)
        return 1
    spoilt = spoilt_files.find(settings.name, Path("logs", settings.name))
    outdated = outdated_results.find(outline_of(word))
    told = spoilt_files.sentences(spoilt, removed=False)
    say(*(f"remark: {sentence}" for sentence in (*told, *outdated_results.sentences(settings.name, outdated))))
    unusable = {"/".join(job_folders.job_of(str(path))) for path in spoilt}
    waiting = _waiting(plan, done.stdout, unusable.union(*outdated.values()))
    fetching = {plan.layout.raw(name) for rule, name in waiting if rule == "fetch"}
    stored = stored_tasks(plan, Store(settings.name), fetching)
    absent = [path for path in plan.tasks if path not in stored]
    say("", *_jobs(settings, waiting, len(plan.jobs), Counter(map(job_folders.job_of, absent)), len(plan.tasks)))
    for place, reason in enumerate(reasons(plan, absent)):
        say(*_wrapped("why" if place == 0 else "", reason))
    return 0


def print_entry(word: str, name: str) -> int:
    """Print the settings of an entry of a study, or of all entries of a section, with every default; return 0."""
    print(_entry(load(word), name), end="")
    return 0


def _own_code(settings: Study) -> Iterator[str]:
    """Yield which folders of Python code a study brings: a run imports it, and this check does not."""
    if folders := [folder for folder in settings.folders if any(plugins.python_files(Path(folder)))]:
        yield f"this study brings Python code, which a run imports: {', '.join(folders)}"


def _entries(settings: Study, own: Mapping[str, int]) -> Iterator[str]:
    """Yield what a study measures on what: sets with the number of images, networks with their training, and so on."""
    yield from _data(settings, own)
    for section in SECTIONS:
        groups: dict[str, list[str]] = {}
        for name, entry in settings[section].items():
            group = ""
            if section in TRAINED:
                group = _training(entry)
            elif section == "attacks" and "eps" in entry:
                group = f"eps {entry['eps']:g}" + (" in L2" if entry.get("norm") == "l2" else "")
                group += f", {counted(entry['steps'], 'step')}" if "steps" in entry else ""
            groups.setdefault(group, []).append(name)
        yield from _grouped(section, groups)


def _data(settings: Study, own: Mapping[str, int]) -> Iterator[str]:
    """Yield the sets of a study with the number of images, by the data role that the study gives them."""
    sets = {}
    for name in settings["examples"]:
        rows = known(name, settings["examples"], settings["sources"]).rows
        rows = own.get(name) if rows is None else rows
        sets[name] = name + ("" if rows is None else f" ({'at most ' * _selects(name, settings['examples'])}{rows:,})")
    roles = {role: [sets[name] for name in names] for role, names in settings.roles.items() if names}
    in_roles = {name for names in settings.roles.values() for name in names}
    rest = [text for name, text in sets.items() if name not in in_roles]
    yield from _grouped("data", roles | ({"made of these, or for one question": rest} if rest else {}))


def _grouped(head: str, groups: Mapping[str, list[str]]) -> Iterator[str]:
    """Yield lines of names in groups, with the head before the first; a dash if there are none."""
    for place, (group, names) in enumerate(groups.items() or [("", ["-"])]):
        about = f"{group}: " if group else ""
        yield from _wrapped(head if place == 0 else "", about + ", ".join(names))


def _changes(settings: Study) -> Iterator[str]:
    """Yield what the study's own file changes, as it is written there."""
    changes = (read_yaml(Path(settings.files[0])).get("change") or {}) if settings.files else {}
    for place, (section, blocks) in enumerate(changes.items()):
        written = (
            f"{name} {yaml.safe_dump(block, default_flow_style=True, width=10**6)}" for name, block in blocks.items()
        )
        yield from _wrapped("change" if place == 0 else "", f"{section}: {', '.join(map(str.strip, written))}")


def _selects(name: str, examples: Mapping[str, Any]) -> bool:
    """Return whether only the images themselves tell how many a set has: it takes those of some classes, or not all rows."""
    return any(examples[step]["use"] in SOME_OF for step in way_to(name, examples))


def _totals(plan: Plan) -> list[str]:
    """Return a line with what a plan makes in all."""
    steps = Counter(task.step for task in plan.tasks.values())
    nouns = {"train": "trained network", "attack": "attacked set"}
    made = [*(counted(steps[step], noun) for step, noun in nouns.items()), counted(len(plan.tasks), "file")]
    return _wrapped("in all", ", ".join(made))


def _training(entry: Mapping[str, Any]) -> str:
    """Return how long and on what an entry trains, and how many networks are made of it."""
    seeds = f"{counted(len(entry['seeds']), 'network')} each"
    if "epochs" not in entry:
        return f"read from a file, {seeds}"
    outliers = " and outliers" if entry.get("outliers") and entry.get("outliers_used") != "none" else ""
    return f"{counted(entry['epochs'], 'epoch')} on {entry['train']}{outliers}, {seeds}"


def _wrapped(head: str, text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=f"{head:<13}", subsequent_indent=" " * 13)


def _job(rule: str, file: str, study: str) -> str:
    """Return the name of the job that makes a file or folder."""
    name = Path(file).name
    return study if rule == "report" else name.removesuffix(BESIDE) if rule == "fetch" else name


def _waiting(plan: Plan, summary: str, unusable: Container[str]) -> list[tuple[str, str]]:
    """Return the jobs that a run would start, each as its rule and name.

    Args:
        plan: of the study.
        summary: Snakemake's summary of all outputs.
        unusable: jobs, as rule/name, whose results a run would remove first.
    """
    rows = [line.split("\t") for line in summary.splitlines()]
    pending = {
        (rule, _job(rule, file, plan.study.name)) for file, _, rule, *_, update in rows[1:] if update != "no update"
    }
    waiting: set[str] = set()
    for job in TopologicalSorter({str(job): job.inputs for job in plan.jobs.values()}).static_order():
        rule, _, name = job.partition("/")
        if (rule, name) in pending or job in unusable or not waiting.isdisjoint(plan.jobs[rule, name].inputs):
            waiting.add(job)
    return [key for key, job in plan.jobs.items() if str(job) in waiting]


def _jobs(
    study: Study, waiting: Sequence[tuple[str, str]], jobs: int, missing: Counter[tuple[str, str]], files: int
) -> Iterator[str]:
    """Yield which jobs a run would start, what they compute, and how long that takes.

    Args:
        study: The study.
        waiting: the jobs that a run would start, each as its rule and name.
        jobs: how many jobs the study has.
        missing: job -> how many of its files the store lacks, as far as that is known before the run.
        files: how many files the jobs of the study make.
    """
    if not waiting:
        yield "Nothing to do: nothing has changed."
        return
    counts = Counter(rule for rule, _ in waiting)
    listed = ", ".join(f"{rule} {counts[rule]}" for rule in RULES if rule in counts)
    yield from _wrapped("to run", f"{len(waiting)} of {jobs} jobs: {listed}")
    computing = [job for job in waiting if missing[job]]
    number = sum(missing[job] for job in computing)
    if number < files:
        reason = f"at most {number:,} of {files:,} files; a job takes what was made from the same bytes from the store"
        yield from _wrapped("to compute", reason)
    if (estimate := _durations.estimate(study, computing)) is None:
        yield from _wrapped("time", UNKNOWN)
        return
    cores = processes.available_cores()
    minutes = max(estimate.seconds / cores / 60, 1)
    yield from _wrapped("time", f"about {minutes:.1f} min on {cores} cores, from {estimate.origin}")


def _entry(settings: Study, name: str) -> str:
    """Return the settings of an entry, or of all entries of a section, as YAML, under the section."""
    sections = [section for section, block in settings.settings.items() if section not in NO_ENTRIES]
    if name in settings.roles:
        return yaml.safe_dump(
            {"data": {name: {one: settings["examples"][one] for one in settings.roles[name]}}}, sort_keys=False
        )
    if name in sections:
        return yaml.safe_dump({name: settings[name]}, sort_keys=False, allow_unicode=True)
    for section in sections:
        if name in settings[section]:
            return yaml.safe_dump({section: {name: settings[section][name]}}, sort_keys=False, allow_unicode=True)
    names = [*sections, *(entry for section in sections for entry in settings[section])]
    alike = ", ".join(sorted({entry for entry in names if name and name in entry}))
    hint = f" These contain the word: {alike}." if alike else nearest(name, names)
    raise ValueError(f"check: study {settings.name} has no entry called {name}.{hint}")

"""`touchstone job RULE WILDCARDS`: run one job of the workflow, as its rules call it."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from touchstone.messages import nearest
from touchstone.pipeline.jobs import processes, run, run_records
from touchstone.pipeline.jobs.job import code_paths
from touchstone.pipeline.jobs.reader import JobError
from touchstone.pipeline.planning.parts import Net
from touchstone.pipeline.planning.patterns import NETWORKS, SEED
from touchstone.pipeline.planning.plan import Plan, digests_of, plan_of
from touchstone.pipeline.provenance import code
from touchstone.pipeline.settings.files import DEFAULT_STUDY


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `job`."""
    parser.add_argument(
        "rule", help="the rule's name; RULE:DIGEST refuses to run if the job's settings have another digest"
    )
    parser.add_argument("wildcards", nargs="?", default="", help="the rule's wildcards: net=cnn.0,victim=cnn.0")
    parser.add_argument("--study", default=DEFAULT_STUDY)
    parser.add_argument("--code", help="refuse to run if the job's code has another digest")


def plan_ahead(study: str) -> Plan:
    """Plan a study, and compute what all its jobs record, before they are forked from this process.

    Args:
        study: The name of a study, or the path of its file.

    Returns:
        The plan, which `plan_of` also keeps.
    """
    plan = plan_of(study)
    tasks = (task for rule, wildcards in plan.jobs() for task in plan.tasks(rule, **wildcards))  # kept for each child
    for roots in {code.roots(task.step, task.settings) for task in tasks}:
        code.code_from(roots)
    run_records.read_ahead()
    for with_torch in (False, True):  # the same before torch is imported and after
        code_paths(with_torch)
    return plan


def main(options: argparse.Namespace) -> int:
    """Run the job's tasks and write its run record; ValueError says why a job cannot run."""
    try:
        return _job(options)
    except JobError as error:
        raise ValueError(str(error)) from error


def _job(options: argparse.Namespace) -> int:
    name, _, planned = options.rule.partition(":")
    if planned:  # Ctrl-C is meant for the run that started this job: the job finishes, as in the warm process
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    plan = plan_of(options.study)
    study = plan.study
    rule = plan.rules.get(name)
    if rule is None:
        raise ValueError(f"study {study.name} has no rule {name}.{nearest(name, plan.rules)}")
    wildcards = dict(pair.partition("=")[::2] for pair in options.wildcards.split(",") if pair)
    if sorted(wildcards) != sorted(rule.wildcards):
        raise ValueError(f"the rule {rule.name} takes {', '.join(rule.wildcards)}, got {options.wildcards!r}")
    _check_values(plan, wildcards)
    tasks = plan.tasks(rule, **wildcards)
    digests = zip((planned, options.code), digests_of(tasks), ("settings", "code"), strict=True)
    for expected, digest, what in digests:
        if expected and expected != digest:
            raise ValueError(f"the {what} changed since this job was planned; run the study again")
    logs = Path("logs") / study.name
    with processes.leaving_at_sigterm(), run_records.recorded(logs, rule.name, wildcards, tasks) as record:
        stop = logs / run_records.LEAK
        if stop.is_file() and rule.step not in ("fetch", "prepare"):
            raise ValueError(f"not started: {stop.read_text(encoding='utf-8')}")
        record["from_cache"] = run.run_in_own_process(tasks, Path(), logs)
        if rule.step == "prepare":
            _check_leaks(plan, wildcards["examples"], stop)
    return 0


def _check_values(plan: Plan, wildcards: dict[str, str]) -> None:
    """Refuse what the study does not define; a network may have a seed that the study does not name."""
    for wildcard, value in wildcards.items():
        if wildcard == SEED:
            continue
        values = plan.wildcard_values[wildcard]
        entry, seed = Net.parse_open(value)
        if wildcard in NETWORKS:
            what, known = "network", seed.isdecimal() and entry in {Net.parse(name).entry for name in values}
        else:
            what, known = wildcard, value in values
        if not known:
            raise ValueError(f"study {plan.study.name} has no {what} called {value}.{nearest(value, values)}")


def _check_leaks(plan: Plan, examples: str, stop: Path) -> None:
    """Compare a new example set with the others; if images leak, write `stop`, so that no other job of this run starts."""
    from touchstone.pipeline.auditing import leakage  # only jobs of `prepare` need it

    try:
        for note in leakage.check(plan, among=[examples]):
            print(f"touchstone: {note}", file=sys.stderr)
    except leakage.Leak as leak:
        # Otherwise Snakemake would go on with jobs that do not need this set.
        stop.write_text(str(leak).splitlines()[0], encoding="utf-8")
        raise

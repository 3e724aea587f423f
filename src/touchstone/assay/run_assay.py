"""One assay from the typed words to the first screen of the report: inspect the model, write its study, run it."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from touchstone.assay import arguments, named_data, outcome, study_file
from touchstone.assay.arguments import Arguments
from touchstone.assay.facts import Facts
from touchstone.assay.study import Study, write
from touchstone.assay.study_file import Place
from touchstone.digests import file_digest
from touchstone.evaluations.statistics.sanity_checks import Doubts
from touchstone.messages import say
from touchstone.numerics import devices
from touchstone.pipeline.orchestration import locks, snakemake_run
from touchstone.pipeline.planning.plan import Plan
from touchstone.provenance import whole_files
from touchstone.records import metric_tables
from touchstone.records.metric_tables import MetricRow
from touchstone.report.summary import summary
from touchstone.report.tables import numbered
from touchstone.settings.study import load

JOB_SECONDS = 3.2  # of one job besides its attacks: Python, torch, reading and writing
TOO_LOW = 5  # the exit code if --fail-under asks for more
OVERHEAD = 2.0  # the time of an attack's step, relative to one forward and one backward pass


def run_assay(options: SimpleNamespace) -> int:
    """Inspect the model, write its study and run it; return the exit code."""
    if not options.dry_run and devices.missing(options.device):
        raise ValueError(devices.NO_GPU)
    arguments.parsed(SimpleNamespace(**vars(options) | {"data": "."}))  # so that a mistake costs no download
    options.data = str(named_data.located(options.data))
    typed = arguments.parsed(options)
    if arguments.is_direct(options):
        from touchstone.assay.direct import run_direct  # it imports torch, which takes seconds

        found = run_direct(typed, options)
        if found is None:
            return 0
        say(*found.lines())
        return written(found, options)
    place = study_file.choose(typed.target, typed.subject, named=typed.named, force=typed.force)
    if not options.dry_run:
        try:
            locks.check_free()
        except locks.Busy as error:
            return locks.report_busy(error)
        devices.check_option(options.device)
    from touchstone.assay.inspection import inspect  # it imports torch, which takes seconds

    facts = inspect(typed, place)
    study = write(facts)
    whole_files.write_whole(place.target, study.text.encode())
    name = facts.name if place.target.parent == arguments.STUDIES else str(place.target)
    _announce(facts, study, name, place, options.cores)
    if options.dry_run:
        if warning := devices.warning(options.device):
            say(f"touchstone: {warning}", stream=sys.stderr)
        return 0
    code = snakemake_run.run(name, options.cores)
    if code == 0:
        rows = _print_summary(name)
        if facts.published:
            say(f"{facts.published.sentence()}.")
        notes = (*filter(None, [facts.advice]), *study.left_out)
        found = outcome.of_rows(rows, facts.eps, _about(facts, typed, place), notes)
        code = written(found, options)
    return code


def written(found: outcome.Outcome, options: SimpleNamespace) -> int:
    """Write an outcome to the files that were asked for; return the exit code, 5 if the model is worse than asked."""
    found = replace(found, bound=options.fail_under)
    found.write(*(path and Path(path) for path in (options.json, options.markdown)))
    if found.shortfall:
        say(f"touchstone: {found.shortfall}.", stream=sys.stderr)
        return TOO_LOW
    return 0


def _about(facts: Facts, typed: Arguments, place: Place) -> dict[str, Any]:
    """Return what was assayed, for an outcome."""
    report = Path("reports") / place.target.stem / "report.html"
    given = Path(typed.model).expanduser()
    named = {"architecture": typed.architecture, "weights": typed.weights and Path(typed.weights).name}
    return {
        "model": given.name if given.is_file() else typed.model,
        **({"model_sha256": file_digest(given).removeprefix("sha256:")} if given.is_file() else {}),
        **{name: value for name, value in named.items() if value},
        "program": Path(facts.model.file).name,
        "sha256": facts.model.digest,
        "classes": facts.model.classes,
        "data": Path(facts.images.place).name,
        "eps": facts.eps_written,
        "norm": "linf",
        "effort": facts.effort,
        "study": str(place.target),
        "report": str(report) if report.is_file() else None,
    }


def _announce(facts: Facts, study: Study, name: str, place: Place, cores: str) -> None:
    """Print what the model and the images showed, where the study is, and how long it may take."""
    channels, height, width = facts.model.input_shape
    say(f"Model: {channels} x {height} x {width} pixels in, {facts.model.classes} classes out.")
    say(*(f"  - {sentence}" for sentence in (*facts.notes, *study.left_out, *place.kept)))
    jobs = len(Plan(load(name)).jobs)
    used = arguments.used_cores(cores)
    minutes = (jobs * JOB_SECONDS + study.passes * facts.model.seconds * OVERHEAD) / used / 60
    say(
        f"Study: {place.target}{', in place of the one written before' if place.replaces else ''}. {jobs} jobs, about"
        f" {max(minutes, 1):.0f} min on {used} cores; an interrupted run continues where it stopped."
    )


def _print_summary(name: str) -> list[MetricRow]:
    """Print the first screen of a study's report, the same words and numbers; return the rows of the whole study."""
    plan = Plan(load(name))
    files = {evaluation: Path(plan.layout.metrics(evaluation)) for evaluation in plan.study["evaluations"]}
    metrics = {evaluation: metric_tables.decode(file.read_bytes()) for evaluation, file in files.items()}
    for reason in metric_tables.left_out(metrics):
        print(f"Left out: {reason}")
    rows = numbered(metrics)
    first_screen = summary(rows, Doubts(rows))
    if first_screen is not None:
        for line in first_screen.table.lines:
            for number in filter(None, line.numbers):
                say(f"{line.words[0]}: {number.text} {number.interval}")
        say(first_screen.checks)
    return rows

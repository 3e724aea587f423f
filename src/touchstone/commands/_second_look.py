"""`touchstone run STUDY --settle CLAIM`: extend a study once, at the size that settles a claim, and run the extension.

The extension is a study of its own, an overlay over the first. It has the first one's networks and images and more of
them. What both share comes from the action cache. See docs/verdicts.md, "What would settle an open claim".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from touchstone.claims import paper_files
from touchstone.claims.criteria import Book, Criterion, Role
from touchstone.claims.judging import StudyClaims
from touchstone.claims.measurements import Measured, Missing, quantities
from touchstone.commands._extension_costs import minutes_more
from touchstone.commands._larger_sets import LargerSets
from touchstone.commands._row_inputs import NETWORKS, RowInputs
from touchstone.commands._settling import Settling, read_rows, settlings
from touchstone.messages import nearest
from touchstone.pipeline.orchestration import snakemake_run, study_run
from touchstone.pipeline.planning.plan import Plan
from touchstone.pipeline.provenance import whole_files
from touchstone.pipeline.settings.files import ParamsError, read_yaml, study_file
from touchstone.pipeline.settings.study import Study, load
from touchstone.records.metric_tables import MetricRow
from touchstone.report import packing
from touchstone.statistics.power import SECOND_LOOK
from touchstone.statistics.sanity_checks import CHECKS, PASSED

STUDIES = Path("workflow/studies")
HEAD = """\
# yaml-language-server: $schema=../../src/touchstone/schemas/study.json
# touchstone run {study} --settle {claim}: the only extension of {study} for this claim, at the size that was computed.
# Do not change the size: a look at the result before it is fixed makes wrong verdicts likelier (docs/verdicts.md).
"""


def settle(study: str, claim: str, cores: str, lock: str = "keep") -> int:
    """Write the extension of a study that settles a claim, unless it is there already, and run it.

    Args:
        study: a study's name, or the path of its overlay.
        claim: the id of a criterion that the study left open.
        cores: "all", or a number.
        lock: as for any run.

    Returns:
        Snakemake's exit code.

    Raises:
        ValueError: this folder is no clone, the study is not finished, the claim is not open, nothing settles it, or it
            was extended before. Nothing is written then.
    """
    if not study_run.in_clone():
        raise ValueError(f"--settle {claim}: only Snakemake runs an extension; run this in a clone of touchstone")
    plan = Plan(load(study))
    book = paper_files.book(plan.study["papers"])
    criterion = _criterion(claim, book, plan.study)
    path = STUDIES / f"{plan.study.name}_settle_{claim.lower().replace('-', '_')}.yaml"
    report = Path("reports") / path.stem / packing.METRICS
    if report.exists():
        raise ValueError(
            f"{claim} was extended once already, and a third look would confirm too much: its second look is in"
            f" {report.parent}; to bring that up to date: touchstone run {path.stem}"
        )
    if path.exists():
        _check_resumed(path, study, claim)
        print(f"Continuing {path}.")
    else:
        text = HEAD.format(study=plan.study.name, claim=claim) + _overlay(study, criterion, plan)
        whole_files.write_whole(path, text.encode())
        print(f"Wrote {path}.")
    extension = Plan(load(path.stem))
    print(_announcement(plan, extension, claim))
    return snakemake_run.run(path.stem, cores)


def _criterion(claim: str, book: Book, study: Study) -> Criterion:
    if claim in book.criteria:
        return book.criteria[claim]
    if claim in book.published:
        scaled = [name for name, criterion in book.criteria.items() if claim in criterion.scales]
        what = (
            f"settle a criterion that scales it down: {', '.join(scaled)}" if scaled else "no criterion scales it down"
        )
        raise ValueError(f"--settle {claim}: a published figure, which no study can settle; {what}")
    raise ValueError(f"--settle {claim}: no claim of {study.name}'s papers.{nearest(claim, book.criteria)}")


def _check_resumed(path: Path, study: str, claim: str) -> None:
    content = read_yaml(path)
    settings = content.get("study")
    looks = settings.get("second_look") if isinstance(settings, dict) else None
    if looks != [claim] or not _is_same(content.get("base"), study):
        raise ValueError(f"{path}: not the second look of {study} at {claim}; give that file another name, then rerun")


def _is_same(base: Any, study: str) -> bool:
    """Return whether a `base:` is this study; either may be a name or a path."""
    if not isinstance(base, str):
        return False
    try:
        first, second = (study_file(written, Path()) for written in (base, study))
    except ParamsError:  # the base is no study
        return False
    return (first and first.resolve()) == (second and second.resolve())


# --- the overlay --------------------------------------------------------------------------------------------------


def _overlay(study: str, criterion: Criterion, plan: Plan) -> str:
    """Return the extension's settings as YAML.

    Raises:
        ValueError: the claim is not open, or nothing settles it.
    """
    numbers = settlings(plan, criterion.id)
    if not numbers:
        raise ValueError(
            f"{criterion.id} is not inconclusive in reports/{plan.study.name}, so there is nothing to settle"
        )
    if reasons := [f"{each.number}: {each.why_not}" for each in numbers if each.why_not]:
        raise ValueError("\n".join([f"more seeds or images do not settle {criterion.id}:", *dict.fromkeys(reasons)]))
    measured = read_rows(plan.study.name)
    rows = list(_rows(criterion, plan, measured))
    seeds = max(each.seeds_needed or 0 for each in numbers)
    questions = list(dict.fromkeys([*(row.evaluation for row in rows), *_checks(rows, measured)]))
    title = f"{plan.study['study']['title']}: second look at {criterion.id}"
    content: dict[str, Any] = {
        "base": study,
        "study": {"title": title, "second_look": [criterion.id]},
        "questions": questions,
    }
    if counts := _counts(numbers):
        sets = LargerSets(plan.study["examples"], measured)
        content["examples"] = {name: sets.settings(name, count) for name, count in counts.items()}
    first = plan.study.first_seed  # which the extension inherits, and which is added to what it writes
    for section, entries in _more_seeds(rows, questions, seeds, plan).items():
        content[section] = {name: {"seeds": [seed - first for seed in longer]} for name, longer in entries.items()}
    return yaml.safe_dump(content, default_flow_style=None, sort_keys=False, allow_unicode=True, width=120)


def _rows(criterion: Criterion, plan: Plan, rows: list[MetricRow]) -> Iterator[MetricRow]:
    """Yield the rows that a criterion reads: its tests, needs, what breaks it, and checks of stuck attacks."""
    study = StudyClaims(**plan.questions.claims())
    chosen = study.claims[criterion.id]
    assert not isinstance(chosen, str)  # a claim that is not run is not open
    measured = Measured(rows, study.components)
    each_set = replace(criterion, roles={name: Role(role.section, "each") for name, role in criterion.roles.items()})
    for place, condition in criterion.conditions.items():
        try:
            for group in quantities(condition, each_set if "stuck" in place else criterion, chosen, measured):
                yield from (one.row for one in group)
        except Missing:  # such as the share of stuck images of an attack that follows no gradient
            continue


def _checks(rows: list[MetricRow], measured: list[MetricRow]) -> list[str]:
    """Return the evaluations that check the attacks behind some rows: they mark numbers that are not to be believed."""
    unions = {(row.entry, f"{row.dataset}/{name}") for row in rows for name in row.threat.worst_of}
    behind = [*rows, *(row for row in measured if (row.entry, row.examples) in unions)]
    attacks = {(row.entry, row.threat.family.seedless) for row in behind}
    return [
        row.evaluation
        for row in measured
        if row.metric.removesuffix(PASSED) in CHECKS and (row.entry, row.threat.family.seedless) in attacks
    ]


def _counts(numbers: list[Settling]) -> dict[str, int]:
    """Return {subset: its images} of the sets that have to grow, each as far as one of the numbers needs."""
    counts: dict[str, int] = {}
    for each in numbers:
        for name, count in each.counts.items():
            counts[name] = max(count, counts.get(name, 0))
    return counts


def _more_seeds(
    rows: list[MetricRow], questions: list[str], wanted: int, plan: Plan
) -> dict[str, dict[str, list[int]]]:
    """Return {section: {entry: its seeds}} of the networks and questions behind means over fewer seeds than wanted.

    All numbers of the claim get the seeds, because all of them are judged again.
    """
    extended: dict[str, dict[str, list[int]]] = {}
    inputs = RowInputs(plan)

    def extend(section: str, name: str, row: MetricRow) -> None:
        present = extended.get(section, {}).get(name) or plan.study[section][name]["seeds"]
        longer = sorted({*present, *_continued(row.seeds, wanted)})
        if longer != present:
            extended.setdefault(section, {})[name] = longer

    for row in rows:
        if not 0 < len(row.seeds) < wanted:
            continue
        for section, entry in inputs.extensible(row):
            extend(section, entry, row)
        for name in questions:
            if set(plan.study["evaluations"][name]["seeds"] or ()) >= set(row.seeds):
                extend("evaluations", name, row)
    return extended


def _continued(seeds: tuple[int, ...], wanted: int) -> list[int]:
    """Return the seeds and those that follow the largest, as many as are wanted: 3, 4, 5 and then 6."""
    following = max(seeds) + 1
    return [*seeds, *range(following, following + wanted - len(seeds))]


# --- in the terminal ----------------------------------------------------------------------------------------------


def _announcement(plan: Plan, extension: Plan, claim: str) -> str:
    """Return what is extended, what it costs, and how it will be judged."""
    lines, larger = [], dict[str, int]()
    for name, entry in extension.study["examples"].items():
        before, after = plan.study["examples"].get(name, {}).get("count"), entry.get("count")
        if before and after and before != after:
            lines.append(f"  examples.{name}: {before:,} -> {after:,} images")
            larger[name] = after
    for section in NETWORKS:
        for name, entry in extension.study[section].items():
            before, after = plan.study[section][name]["seeds"], entry["seeds"]
            if before != after:
                lines.append(f"  {section}.{name}: {len(before)} -> {len(after)} seeds")
    minutes = minutes_more(plan, extension, LargerSets(plan.study["examples"], ()).growth(larger))
    cost = "unknown, as no run records of such jobs are here" if minutes is None else f"{minutes:.1f} of jobs, about"
    level = f"{claim} will be judged by {100 * SECOND_LOOK:g} % intervals. It is its second look and its last."
    return "\n".join([f"The second look at {claim} extends {plan.study.name}:", *lines, f"Minutes: {cost}.", level])

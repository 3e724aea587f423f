"""Check the chain of a study from raw data to the report: bytes, links, settings, leakage, pages."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path

from touchstone import digests
from touchstone.audit.chain import other_code, report_pages
from touchstone.audit.chain.findings import (
    Finding,
    actual_digests,
    altered_bytes,
    artefacts_named,
    computed_digests,
    path_from,
)
from touchstone.audit.chain.report_pages import ExpectedRoot
from touchstone.audit.chain.study_records import AGAIN, of_form, prepared_sets, read_study, whole
from touchstone.pipeline.planning import apart
from touchstone.pipeline.planning.parts import Set
from touchstone.pipeline.planning.plan import Plan
from touchstone.provenance import chain, job_folders, sidecar_files
from touchstone.provenance.sidecar_files import Record

CREATED = "was created from "
OTHER_SETTINGS = "built under other settings, papers or claims than those here"


def audit(
    plan: Plan, root: Path = Path(), expected_root: ExpectedRoot | None = None, quiet: bool = False
) -> list[Finding]:
    """Return what breaks a study's chain or contradicts today's settings, and what was built by other code.

    It checks:

    - the bytes of every artefact against its record, and every link against the input and the input's record;
    - files that no job made, and records without a file;
    - settings against today's, and code, of which a note tells where it is not the code here;
    - leakage: images that the study both learns from and tests on;
    - the report's pages against its sidecar, their numbers and verdicts against its tables, and its root digest.

    If the study's data is missing, as in a clone, only the report is checked, and one finding says so. A report in git may
    be older than the settings too, so a note tells if they differ.

    Args:
        plan: The plan of the study.
        root: The project's folder.
        expected_root: The root digest that the report should have; None to compare none.
        quiet: Whether to hide the progress bar.
    """
    clone = chain.absent(root, plan.folder)
    records, findings = read_study(root, plan)
    report = root / plan.layout.page
    recorded = sidecar_files.sidecar_path(report).is_file()  # DVC carries it, so a clone may lack it
    committed = report.exists() or recorded
    if report.exists():
        with suppress(ValueError):  # reported by the checks of the pages
            records[plan.layout.page] = whole(sidecar_files.read_sidecar(report))
    existing = [root / file for file in records if (root / file).exists()]
    with computed_digests(existing, quiet) as wait:
        differences = [*(_older_report(plan, root) if clone else _against_today(plan, records, root))]
        leaks = [*_leaks(plan, records, root)]
        of_pages = (
            report_pages.differences(report, root, expected_root, clone)
            if recorded or (committed and not clone)
            else []
        )
        digest_of = {path_from(root, path): digest for path, digest in wait().items()}
    of_records, broken = _against_records(records, digest_of)
    findings += of_records
    if clone and not committed:
        findings.append(Finding(plan.folder, "contains nothing to audit; run the study first"))
    elif clone:
        problem = "is not here: the pages and ROOT were checked, the chain behind them was not"
        if not recorded:
            problem = f"is not here, nor is {sidecar_files.sidecar_path(report).name}: nothing was checked"
        findings.append(Finding(plan.folder, f"{problem}; {chain.how_to_get(plan.study.name)}", unchecked=True))
    else:
        findings += _missing(broken, {finding.file for finding in findings})
    findings += [*differences, *leaks, *of_pages]
    if not committed and expected_root is not None:
        findings.append(Finding(path_from(root, report), "is missing, so there is no root digest to compare"))
    return findings


def audit_file(what: str, root: Path = Path(), quiet: bool = False) -> list[Finding]:
    """Return everything that breaks the chain of one artefact, or of those of one job, back to raw data.

    Args:
        what: The artefact's path or name, or the folder of the job.
        root: The project's folder.
        quiet: Whether to hide the progress bar.

    Raises:
        ValueError: There is no such artefact, or a sidecar of the chain is missing or unreadable.
    """
    files = artefacts_named(what)
    records = chain.reached(lambda file: root / file, files)
    findings = [finding for file in files for finding in of_form(root, file)]
    existing = [root / file for file in records if (root / file).exists()]
    digest_of = {path_from(root, path): digest for path, digest in actual_digests(existing, quiet).items()}
    findings += [Finding(file, "is missing, but its sidecar exists") for file in records.keys() - digest_of.keys()]
    findings += _against_records(records, digest_of)[0]
    if any("pages" in records[file] for file in files):
        findings.append(Finding(what, "its text and numbers were not checked; audit its study", unchecked=True))
    return findings


# --- what the records say ---------------------------------------------------------------------------------------------


def _against_records(
    records: Mapping[str, Record], digest_of: Mapping[str, str]
) -> tuple[list[Finding], dict[str, list[str]]]:
    """Return what is wrong with the bytes and links of artefacts, and {input without a record: what was made from it}.

    Args:
        records: The record of each artefact.
        digest_of: The digest of the bytes of each artefact that is there.
    """
    findings: list[Finding] = []
    broken: dict[str, list[str]] = defaultdict(list)
    digest_of_record = cache(lambda file: sidecar_files.digest_of_record(records[file]))
    for file, record in records.items():
        if file in digest_of and (problem := altered_bytes(digest_of[file], record)):
            findings.append(Finding(file, problem))
        for link in chain.links(record):
            origin = link["file"]
            if origin not in records:
                broken[origin].append(file)
            elif digest_of_record(origin) != link["sidecar"]:
                findings.append(Finding(file, f"{CREATED}{origin} when that had another sidecar"))
            elif digest_of.get(origin, link["artefact"]) != link["artefact"]:
                findings.append(Finding(file, f"{CREATED}{origin} when that had other bytes"))
    return findings, broken


def _missing(broken: Mapping[str, list[str]], reported: set[str]) -> Iterator[Finding]:
    """Yield the inputs that have no record, unless it is reported that their job's sidecar is damaged."""
    for file, made in sorted(broken.items()):
        place = job_folders.split(file)
        if file not in reported and not (place and f"{place[0]}/{job_folders.SIDECAR}" in reported):
            yield Finding(file, f"is missing; {len(made)} files were created from it, such as {made[0]}")


# --- what today's plan says -------------------------------------------------------------------------------------------


def _against_today(plan: Plan, records: Mapping[str, Record], root: Path) -> Iterator[Finding]:
    """Yield the files that today's settings would not create, or would create differently, and those of other code."""
    equal: dict[str, Record] = {}
    for file, record in records.items():
        task = plan.tasks.get(file)
        if task is None:
            if job_folders.split(file):
                yield Finding(file, f"is not part of the study; {AGAIN}")
        elif record["step"] != task.step:
            yield Finding(file, f"was created by the step {record['step']}, not by {task.step}")
        elif _canonical(record["settings"]) != digests.canonical(task.settings):
            yield Finding(file, "was created under other settings than today's")
        elif {role: [link["file"] for link in links] for role, links in record["inputs"].items()} != task.roles:
            yield Finding(file, "was created from other files than today's settings name")
        elif task.step == "fetch" and task.settings["sha256"] not in (None, record["artefact"]):
            yield Finding(file, f"is not the download that the settings pin: {task.settings['sha256']}")
        else:
            equal[file] = record
    yield from other_code.notes(equal.items(), root)


def _canonical(settings: object) -> str:
    """Return settings as text that can be compared; "" for what no settings can be."""
    try:
        return digests.canonical(settings)
    except RecursionError:
        return ""


def _older_report(plan: Plan, root: Path) -> Iterator[Finding]:
    """Yield notes on a report without its data, if it was built under other settings or by other code than those here."""
    page = plan.layout.page
    with suppress(ValueError):  # a sidecar that is missing or damaged is reported by the checks of the pages
        record = whole(sidecar_files.read_sidecar(root / page))
        if _canonical(record["settings"]) != digests.canonical(plan.tasks[page].settings):
            yield Finding(page, OTHER_SETTINGS, note=True)
        yield from other_code.notes([(page, record)], root)


def _leaks(plan: Plan, records: Mapping[str, Record], root: Path) -> Iterator[Finding]:
    """Yield the sets here, whatever settings they are of, that share images although the study must not learn from them."""
    from touchstone.pipeline.jobs import leakage
    from touchstone.records import encoding
    from touchstone.records.nouns import ExampleSet

    def file(name: str) -> str:
        return plan.layout.set_file(Set(name))

    def read(path: str) -> ExampleSet | None:
        try:
            examples: ExampleSet = encoding.decode((root / path).read_bytes(), ExampleSet)
        except (OSError, ValueError):  # its bytes are checked, too
            return None
        return examples

    prepared = prepared_sets(plan, records, read)
    pairs = apart.pairs(plan.study).items()
    both = [(*names, why) for names, why in pairs if all(file(name) in plan.tasks for name in names)]
    for overlap in leakage.overlaps(both, prepared):
        if overlap.leaks:
            yield Finding(file(overlap.tested), str(overlap))

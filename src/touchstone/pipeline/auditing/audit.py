"""`touchstone audit`: check the chain from raw data to the report."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from touchstone import digests
from touchstone.messages import say
from touchstone.pipeline.auditing import other_code, recomputation, report_pages
from touchstone.pipeline.auditing.broken_links import Sidecars
from touchstone.pipeline.auditing.findings import (
    Finding,
    actual_digests,
    address_of,
    altered_bytes,
    computed_digests,
    in_short,
)
from touchstone.pipeline.auditing.report_pages import ExpectedRoot
from touchstone.pipeline.planning.plan import Plan
from touchstone.pipeline.provenance import chain, sidecar_files
from touchstone.pipeline.provenance.addresses import files_of
from touchstone.pipeline.provenance.folders import files_below
from touchstone.pipeline.settings.study import load

CREATED = "was created from "
OTHER_SETTINGS = "built under other settings, papers or claims than those here"


def audit(
    plan: Plan, root: Path = Path(), expected_root: ExpectedRoot | None = None, quiet: bool = False
) -> list[Finding]:
    """Return what breaks a study's chain or contradicts today's settings, and what was built by other code.

    It checks:

    - the bytes of every artefact against its sidecar, and every link against the input and the input's sidecar;
    - files without a sidecar, and sidecars without a file;
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
    from touchstone.pipeline.auditing import leakage

    raw = [root / folder for folder in plan.layout.raw_folders]
    present = set(files_below(root / plan.folder))
    present |= {folder for folder in raw if folder.exists()}
    sidecars = {path for path in present if path.name.endswith(sidecar_files.SIDECAR)}
    sidecars |= {path for folder in raw if (path := sidecar_files.sidecar_path(folder)).is_file()}
    artefacts = {path.with_name(path.name.removesuffix(sidecar_files.SIDECAR)) for path in sidecars}
    report = root / "reports" / plan.study.name / "report.html"
    findings = [Finding(address_of(path, root), "has no sidecar, so its bytes cannot be checked")
                for path in sorted(present - sidecars - artefacts)]  # fmt: skip
    findings += [Finding(address_of(path, root), "is missing, but its sidecar exists")
                 for path in sorted(artefacts) if not path.exists()]  # fmt: skip
    committed = report.exists() or sidecar_files.sidecar_path(report).is_file()  # the page itself is not in git
    existing = sorted(path for path in artefacts if path.exists()) + ([report] if report.exists() else [])
    files = _with_members(existing)
    with computed_digests(files, quiet) as wait:
        clone = chain.absent(root, plan.folder)
        differences = [*_against_today(plan, root), *(_older_report(plan, root) if clone else ())]
        overlaps = leakage.overlaps(plan, root, stale=True)
        of_pages = report_pages.differences(report, root, expected_root, clone) if committed else []
        digest_of = wait()
    broken: dict[str, list[str]] = {}  # {missing input: files that were created from it}
    inputs = Sidecars(root)
    for path in files:
        findings += _against_sidecar(path, root, digest_of, inputs, broken)
    if clone and not committed:
        findings.append(Finding(plan.folder, "contains nothing to audit; run the study first"))
    elif clone:
        problem = "is not here: the pages and ROOT were checked, the chain behind them was not"
        findings.append(Finding(plan.folder, f"{problem}; {chain.how_to_get(plan.study.name)}", unchecked=True))
    else:
        reported = {finding.file for finding in findings}
        findings += [Finding(file, f"is missing; {len(outputs)} files were created from it, such as {outputs[0]}")
                     for file, outputs in sorted(broken.items()) if file not in reported]  # fmt: skip
    findings += differences
    findings += [Finding(overlap.file, str(overlap)) for overlap in overlaps if overlap.leaks]
    findings += of_pages
    if not committed and expected_root is not None:
        findings.append(Finding(address_of(report, root), "is missing, so there is no root digest to compare"))
    return findings


def _with_members(paths: list[Path]) -> list[Path]:
    """Return files, each bundle followed by its members."""
    files = dict[Path, None]()
    for path in paths:
        files[path] = None
        with suppress(ValueError):  # an unreadable sidecar is reported separately
            files |= dict.fromkeys(map(Path, sidecar_files.addresses(path)))
    return list(files)


def audit_file(file: str, root: Path = Path(), quiet: bool = False) -> list[Finding]:
    """Return everything that breaks the chain of one artefact back to raw data.

    Args:
        file: The artefact's path or address.
        root: The project's folder.
        quiet: Whether to hide the progress bar.

    Raises:
        ValueError: A sidecar of the chain is missing or unreadable.
    """
    reached = chain.reached(root, [address_of(Path(each), root) for each in sidecar_files.addresses(root / file)])
    paths = sorted(root / name for name in {*reached, *files_of(reached)})
    existing = [path for path in paths if sidecar_files.exists(path)]
    digest_of = actual_digests(existing, quiet)
    findings = [
        Finding(address_of(path, root), "is missing, but its sidecar exists") for path in paths if path not in digest_of
    ]
    inputs = Sidecars(root)
    findings += [finding for path in existing for finding in _against_sidecar(path, root, digest_of, inputs, {})]
    if "pages" in sidecar_files.read_sidecar(root / file):
        findings.append(Finding(file, "its text and numbers were not checked; audit its study", unchecked=True))
    return findings


def _against_sidecar(
    path: Path, root: Path, digest_of: dict[Path, str], inputs: Sidecars, broken: dict[str, list[str]]
) -> Iterator[Finding]:
    """Yield what is wrong with one artefact; add its missing inputs to `broken`."""
    name = address_of(path, root)
    try:
        record = sidecar_files.read_sidecar(path)
        if problem := altered_bytes(digest_of[path], record):
            yield Finding(name, problem)
        if "members" in record:  # each member has a separate record
            if problem := sidecar_files.bundle_problem(path):
                yield Finding(name, problem)
            return
        for link in chain.links(record):
            today = inputs.record_digest(link["file"])
            if today is None:
                broken.setdefault(link["file"], []).append(name)
            elif today != link["sidecar"]:
                yield Finding(name, f"{CREATED}{link['file']} when that had another sidecar")
            elif digest_of.get(root / link["file"], link["artefact"]) != link["artefact"]:
                yield Finding(name, f"{CREATED}{link['file']} when that had other bytes")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        yield Finding(name, f"its sidecar is unreadable: {error}")


def _against_today(plan: Plan, root: Path) -> Iterator[Finding]:
    """Yield the files that today's settings would not create, or would create differently, and those of other code."""
    current, equal = set[str](), dict[str, dict[str, Any]]()
    clone = chain.absent(root, plan.folder)
    for rule, wildcards in plan.jobs():
        for task in plan.tasks(rule, **wildcards):
            path = root / task.output
            if task.output in current or not sidecar_files.exists(path) or (clone and rule.step == "report"):
                continue
            current.add(task.output)
            try:
                sidecar = sidecar_files.read_sidecar(path)
            except ValueError:
                continue  # already reported
            if sidecar.get("step") != task.step:
                yield Finding(task.output, f"was created by the step {sidecar.get('step')}, not by {task.step}")
            elif digests.canonical(sidecar.get("settings")) != digests.canonical(task.settings):
                yield Finding(task.output, "was created under other settings than today's")
            elif _inputs(sidecar) != set(task.input_files):
                yield Finding(task.output, "was created from other files than today's settings name")
            elif task.step == "fetch" and task.settings["sha256"] not in (None, sidecar["artefact"]):
                yield Finding(task.output, f"is not the download that the settings pin: {task.settings['sha256']}")
            else:
                equal[task.output] = sidecar
    yield from other_code.notes(equal.items(), root)
    for beside in sorted(files_below(root / plan.folder, sidecar_files.SIDECAR)):
        path = beside.with_name(beside.name.removesuffix(sidecar_files.SIDECAR))
        with suppress(ValueError):
            names = [address_of(Path(name), root) for name in sidecar_files.addresses(path)] if path.exists() else []
            for name in names:
                if name not in current:
                    yield Finding(name, "is not part of the study; delete its file and run the study again")


def _older_report(plan: Plan, root: Path) -> Iterator[Finding]:
    """Yield notes on a report without its data, if it was built under other settings or by other code than those here."""
    (task,) = (
        task for rule, wildcards in plan.jobs() if rule.step == "report" for task in plan.tasks(rule, **wildcards)
    )
    with suppress(ValueError):  # a sidecar that is missing or unreadable is reported by the checks of the pages
        record = sidecar_files.read_sidecar(root / task.output)
        if digests.canonical(record.get("settings")) != digests.canonical(task.settings):
            yield Finding(task.output, OTHER_SETTINGS, note=True)
        yield from other_code.notes([(task.output, record)], root)


def _inputs(sidecar: dict[str, Any]) -> set[str] | None:
    try:
        return {link["file"] for link in chain.links(sidecar)}
    except (KeyError, TypeError, AttributeError):
        return None


def _stated(study: str, expected: ExpectedRoot | None) -> str:
    """Return the root digest of a report, how it is the expected one, and how much of its chain another machine computed."""
    records = chain.reached(Path(), [f"reports/{study}/report.html"])
    adopted = Counter(record[chain.ADOPTED] for record in records.values() if chain.ADOPTED in record)
    parts = [
        f". {count:,} artefacts were adopted from the evidence {digest}" for digest, count in sorted(adopted.items())
    ]
    actual = (Path("reports") / study / chain.ROOT).read_text().strip()
    if expected is None:
        comparison = ""
    elif expected.digest == actual:
        comparison = ", which is the one you gave"
    else:
        comparison = f", and {expected.digest} with the processor that you gave: all files have the same bytes"
    return f"{''.join(parts)}. Root digest: {actual}{comparison}"


def run_audit(
    what: str,
    as_json: bool = False,
    expected_root: ExpectedRoot | None = None,
    render: bool = True,
    recompute: int = 0,
    seed: int | None = None,
) -> int:
    """Print the findings of an audit of a study or of one file, as text or as JSON.

    Args:
        what: A study, or an artefact.
        as_json: Whether to print JSON.
        expected_root: The root digest that the report of a study should have; None to compare none.
        render: Whether to rebuild the report of a study.
        recompute: How many other jobs of a study to rerun.
        seed: The random seed that selects these jobs; None for a random seed.

    Returns:
        0 if the chain is whole, 1 if something is wrong, chain.PARTLY if nothing is wrong but not everything was checked.
        Notes change nothing.

    Raises:
        ValueError: A sidecar is missing or unreadable.
    """
    path = Path(what)
    if sidecar_files.sidecar_path(path).is_file():
        findings, stated = audit_file(path.as_posix(), quiet=as_json), ""
    else:
        study = load(what)
        plan = Plan(study)
        findings = audit(plan, expected_root=expected_root, quiet=as_json)
        if not chain.absent(Path(), plan.folder):
            seed = random.randrange(1_000_000) if seed is None else seed
            findings += recomputation.of_jobs(what, plan, findings, render, recompute, seed)
        elif recompute:
            findings.append(Finding(plan.folder, "is not here, so no job was rerun", unchecked=True))
        stated = "" if any(not finding.note for finding in findings) else _stated(study.name, expected_root)
    wrong = [finding for finding in findings if not (finding.unchecked or finding.note)]
    unchecked = any(finding.unchecked for finding in findings)
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=1))
    else:
        say(*in_short(findings, CREATED, other_code.BUILT))
        if wrong:
            say(f"{len(wrong)} finding{'s' * (len(wrong) > 1)}")
        else:
            say("Nothing is wrong, but not everything was checked" if unchecked else f"The chain is whole{stated}")
    return 1 if wrong else chain.PARTLY if unchecked else 0

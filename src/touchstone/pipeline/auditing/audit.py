"""`touchstone audit`: is the chain from raw data to report whole, or which link of it is not."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from touchstone import digests
from touchstone.pipeline.auditing import recomputation, report_pages
from touchstone.pipeline.auditing.findings import Finding, bytes_found, named
from touchstone.pipeline.planning.parts import Rule
from touchstone.pipeline.planning.plan import Plan, code_files
from touchstone.pipeline.provenance import chain, code, git, sidecar_files
from touchstone.pipeline.provenance.addresses import Address, files_of
from touchstone.pipeline.settings.study import load


def audit(plan: Plan, root: Path = Path(), expected_root: str | None = None, quiet: bool = False) -> list[Finding]:
    """Return everything that breaks the chain of a study's files, or contradicts its settings and code of today.

    Checked: the bytes of every artefact against its sidecar; every link against the bytes of the input and of its
    sidecar; files without a sidecar, sidecars without a file; settings and code against today's; images that the
    study learns from and tests on; the report's pages against its sidecar, their numbers and verdicts against its
    tables, and its root digest. Where the study's data is not here, as in a clone, the report is checked by itself, and
    one finding says so.
    """
    from touchstone.pipeline.auditing import leakage

    folders = [root / plan.folder, *(root / folder for folder in sorted(plan.raw_folders))]
    present = {
        path for folder in folders for path in ([folder] if folder.name in _sources(plan) else folder.rglob("*"))
    }
    present = {path for path in present if path.exists() and (path.is_file() or path in folders[1:])}
    sidecars = {path for path in present if path.name.endswith(sidecar_files.SIDECAR)}
    sidecars |= {path for folder in folders[1:] if (path := sidecar_files.sidecar_path(folder)).is_file()}
    artefacts = {path.with_name(path.name.removesuffix(sidecar_files.SIDECAR)) for path in sidecars}
    report = root / "reports" / plan.study.name / "report.html"
    findings = [Finding(named(path, root), "has no sidecar: nothing vouches for it")
                for path in sorted(present - sidecars - artefacts)]  # fmt: skip
    findings += [Finding(named(path, root), "is missing; its sidecar is there")
                 for path in sorted(artefacts) if not path.exists()]  # fmt: skip
    committed = report.exists() or sidecar_files.sidecar_path(report).is_file()  # git stores no page
    there = sorted(path for path in artefacts if path.exists()) + ([report] if report.exists() else [])
    files = _with_members(there)
    bytes_of = bytes_found(files, quiet)
    broken: dict[str, list[str]] = {}  # by what is missing, what was made from it
    for path in files:
        findings += _against_sidecar(path, root, bytes_of, broken)
    if chain.absent(root, plan.folder) and not committed:
        findings.append(Finding(plan.folder, "holds nothing to audit; run the study first"))
    elif chain.absent(root, plan.folder):
        told = "is not here: the pages and ROOT were checked, the chain behind them was not"
        findings.append(Finding(plan.folder, f"{told}; {chain.how_to_get(plan.study.name)}", unchecked=True))
    else:
        known = {finding.file for finding in findings}
        findings += [Finding(file, f"is missing; {len(made)} files were made from it, such as {made[0]}")
                     for file, made in sorted(broken.items()) if file not in known]  # fmt: skip
    findings += _against_today(plan, root)
    overlaps = leakage.overlaps(plan, root, stale=True)
    findings += [Finding(overlap.file, str(overlap)) for overlap in overlaps if overlap.leaks]
    if committed:
        findings += report_pages.differences(report, root, expected_root, clone=chain.absent(root, plan.folder))
    elif expected_root is not None:
        findings.append(Finding(named(report, root), "is missing, so there is no root digest to compare"))
    return findings


def _sources(plan: Plan) -> set[str]:
    return {Path(folder).name for folder in plan.raw_folders}


def _with_members(paths: list[Path]) -> list[Path]:
    """Return files, each bundle followed by its members."""
    found = []
    for path in paths:
        found.append(path)
        with suppress(ValueError):  # an unreadable sidecar is a finding of its own
            found += [Path(str(Address(str(path), member))) for member in sidecar_files.members(path)]
    return found


def audit_file(file: str, root: Path = Path(), quiet: bool = False) -> list[Finding]:
    """Return everything that breaks the chain of one artefact, back to raw data: bytes, records, links.

    ValueError where a sidecar that the chain needs is missing or not readable.
    """
    whole = sidecar_files.members(root / file) if not Address.parse(file).member else []
    reached = chain.reached(root, [str(Address(file, member)) for member in whole] or [file])
    paths = sorted(root / name for name in {*reached, *files_of(reached)})
    there = [path for path in paths if sidecar_files.exists(path)]
    bytes_of = bytes_found(there, quiet)
    findings = [
        Finding(named(path, root), "is missing; its sidecar is there") for path in paths if path not in bytes_of
    ]
    findings += [finding for path in there for finding in _against_sidecar(path, root, bytes_of, {})]
    if "pages" in sidecar_files.read_sidecar(root / file):
        findings.append(Finding(file, "its words and numbers were not checked; audit its study", unchecked=True))
    return findings


def _against_sidecar(
    path: Path, root: Path, bytes_of: dict[Path, str], broken: dict[str, list[str]]
) -> Iterator[Finding]:
    """Yield what is wrong with one artefact; inputs of it that are missing are added to `broken`."""
    name = named(path, root)
    try:
        record = sidecar_files.read_sidecar(path)
        if bytes_of[path] != record["artefact"]:
            yield Finding(name, f"its bytes have digest {bytes_of[path]}, its sidecar says {record['artefact']}")
        if "members" in record:  # each of them has a record of its own
            if problem := sidecar_files.bundle_problem(path):
                yield Finding(name, problem)
            return
        if code.code_digest(record["files"]) != record["code"]:
            yield Finding(name, "its sidecar was edited: the code digest is not that of the files it lists")
        for link in chain.links(record):
            other = root / link["file"]
            if not sidecar_files.exists(other) or not sidecar_files.sidecar_path(other).is_file():
                broken.setdefault(link["file"], []).append(name)
            elif sidecar_files.record_digest(other) != link["sidecar"]:
                yield Finding(name, f"was made from {link['file']} when that had another sidecar")
            elif bytes_of.get(other, link["artefact"]) != link["artefact"]:
                yield Finding(name, f"was made from {link['file']} when that had other bytes")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        yield Finding(name, f"its sidecar is not readable: {error}")


def _against_today(plan: Plan, root: Path) -> Iterator[Finding]:
    """Yield the files that today's settings or code would make otherwise, or would not make."""
    current: set[str] = set()
    for rule, wildcards in plan.jobs():
        for task in plan.tasks(rule, **wildcards):
            path = root / task.output
            if task.output in current or not sidecar_files.exists(path):
                continue
            current.add(task.output)
            try:
                sidecar = sidecar_files.read_sidecar(path)
            except ValueError:
                continue  # named already
            if digests.canonical(sidecar.get("settings")) != digests.canonical(task.settings):
                yield Finding(task.output, "was made under other settings than today's")
            elif _inputs(sidecar) != set(task.input_files):
                yield Finding(task.output, "was made from other files than today's settings name")
            elif task.step == "fetch" and task.settings["sha256"] not in (None, sidecar["artefact"]):
                yield Finding(task.output, f"is not the download that the settings pin: {task.settings['sha256']}")
            elif isinstance(files := sidecar.get("files"), dict) and (today := code_files((task,))) != files:
                changed = sorted(f for f in today.keys() | files.keys() if today.get(f) != files.get(f))
                then = {name: files.get(name) for name in changed}
                commit = git.commit_of_code(root, tuple(then.items()))
                told = f"; that code is in commit {commit}" if commit else "; that code is in no commit here"
                yield Finding(task.output, f"was made by other code than today's: {', '.join(changed)}{told}")
    for beside in sorted((root / plan.folder).rglob("*" + sidecar_files.SIDECAR)):
        path = beside.with_name(beside.name.removesuffix(sidecar_files.SIDECAR))
        with suppress(ValueError):
            left = [named(Path(name), root) for name in sidecar_files.addresses(path)] if path.exists() else []
            for name in left:
                if name not in current:
                    yield Finding(name, "belongs to nothing in the study; touchstone gc removes it")


def _inputs(sidecar: dict[str, Any]) -> set[str] | None:
    try:
        return {link["file"] for link in chain.links(sidecar)}
    except (KeyError, TypeError, AttributeError):
        return None


def computed_again(
    study: str, plan: Plan, known: list[Finding], render: bool, count: int, seed: int, root: Path = Path()
) -> list[Finding]:
    """Build the report again, run `count` random jobs again, and return what differs from the files that are here.

    What is `known` to be wrong with a job's own files is not found again: such a job is left out. So are fetches, whose
    files are checked by their digests.
    """
    wrong = {finding.file for finding in known}

    def whole(rule: Rule, wildcards: dict[str, str]) -> bool:
        outputs = [task.output for task in plan.tasks(rule, **wildcards)]
        files = files_of(outputs)
        return not wrong & {*outputs, *files} and all((root / file).exists() for file in files)

    jobs = [job for job in plan.jobs() if job[0].step != "fetch" and whole(*job)]
    report = [job for job in jobs if render and job[0].step == "report"]
    others = [job for job in jobs if job[0].step != "report"]
    drawn = random.Random(seed).sample(others, min(count, len(others)))
    findings = []
    if report:
        print("Building the report again", file=sys.stderr)
    else:
        why = "it is missing, or wrong as said above" if render else "--no-render"
        file = f"reports/{plan.study.name}/report.html"
        findings.append(Finding(file, f"was not built again ({why}), so not all of it was checked", unchecked=True))
    for rule, wildcards in report + drawn:
        if rule.step != "report":
            print(f"Running again: {rule.name} {' '.join(wildcards.values())}", file=sys.stderr)
        findings += recomputation.differences(study, plan, rule, wildcards, root)
    if count:
        print(f"{len(drawn)} of {len(others)} jobs were run again; --seed {seed} draws them again", file=sys.stderr)
    return findings


def run_audit(
    what: str,
    as_json: bool = False,
    expected_root: str | None = None,
    render: bool = True,
    recompute: int = 0,
    seed: int | None = None,
) -> int:
    """Print what an audit of a study or of one file found, in words or as JSON.

    Returns 0 where the chain is whole, 1 where something is wrong, and chain.PARTLY where nothing is wrong but not all
    could be checked.
    """
    path = Path(what)
    if sidecar_files.sidecar_path(path).is_file():
        if expected_root is not None or recompute:
            raise ValueError(f"{what}: --root and --recompute are about a study, not about one file; name the study")
        findings, stated = audit_file(path.as_posix(), quiet=as_json), ""
    else:
        study = load(what)
        plan = Plan(study)
        findings = audit(plan, expected_root=expected_root, quiet=as_json)
        if not chain.absent(Path(), plan.folder):
            seed = random.randrange(1_000_000) if seed is None else seed
            findings += computed_again(what, plan, findings, render, recompute, seed)
        elif recompute:
            findings.append(Finding(plan.folder, "is not here, so no job was run again", unchecked=True))
        stated = (
            f". Root digest: {(Path('reports') / study.name / chain.ROOT).read_text().strip()}" if not findings else ""
        )
    wrong = [finding for finding in findings if not finding.unchecked]
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=1))
    else:
        for finding in findings:
            print(f"{finding.file}: {finding.problem}")
        told = (
            f"{len(wrong)} finding{'s' * (len(wrong) > 1)}"
            if wrong
            else "Nothing wrong was found, but not all was checked"
        )
        print(told if findings else f"The chain is whole{stated}")
    return 1 if wrong else chain.PARTLY if findings else 0

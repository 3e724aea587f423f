"""`touchstone audit` and `trace`: is the chain from raw data to report whole, and where does a file come from."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import track

from touchstone import chain, digests, provenance
from touchstone.params import load
from touchstone.plan import Plan, code_files

NUMBER = re.compile(r'<data\b[^>]*\bvalue="([^"]*)"[^>]*\bdata-row="(\d+)"')


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, with the file it is wrong with."""

    file: str
    problem: str


def audit(plan: Plan, root: Path = Path(), expected_root: str | None = None, quiet: bool = False) -> list[Finding]:
    """Return everything that breaks the chain of a study's files, or contradicts its settings and code of today.

    Checked: the bytes of every artefact against its sidecar; every link against the bytes of the input and of its
    sidecar; files without a sidecar, sidecars without a file; settings and code against today's; the report's pages,
    its numbers against its metrics, and its root digest.
    """
    folders = [root / plan.folder, *(root / folder for folder in sorted(plan.raw_folders))]
    present = {
        path for folder in folders for path in ([folder] if folder.name in _sources(plan) else folder.rglob("*"))
    }
    present = {path for path in present if path.exists() and (path.is_file() or path in folders[1:])}
    sidecars = {path for path in present if path.name.endswith(provenance.SIDECAR)}
    sidecars |= {path for folder in folders[1:] if (path := provenance.sidecar_path(folder)).is_file()}
    artefacts = {path.with_name(path.name.removesuffix(provenance.SIDECAR)) for path in sidecars}
    report = root / "reports" / plan.study.name / "report.html"
    findings = [Finding(_name(path, root), "has no sidecar: nothing vouches for it")
                for path in sorted(present - sidecars - artefacts)]  # fmt: skip
    findings += [Finding(_name(path, root), "is missing; its sidecar is there")
                 for path in sorted(artefacts) if not path.exists()]  # fmt: skip
    there = sorted(path for path in artefacts if path.exists()) + ([report] if report.exists() else [])
    if not there:
        findings.append(Finding(plan.folder, "holds nothing to audit; run the study first"))
    bytes_of = _digests(there, quiet)
    for path in there:
        findings += _against_sidecar(path, root, bytes_of)
    findings += _against_today(plan, root)
    if report.exists():
        findings += _pages(report, root, expected_root)
    elif expected_root is not None:
        findings.append(Finding(_name(report, root), "is missing, so there is no root digest to compare"))
    return findings


def _sources(plan: Plan) -> set[str]:
    return {Path(folder).name for folder in plan.raw_folders}


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def _digests(paths: list[Path], quiet: bool) -> dict[Path, str]:
    def digest(path: Path) -> str:
        return digests.folder_digest(path) if path.is_dir() else digests.file_digest(path)

    with ThreadPoolExecutor() as pool:
        found = pool.map(digest, paths)
        shown = track(found, "checking bytes", len(paths), console=Console(stderr=True), transient=True, disable=quiet)
        return dict(zip(paths, shown, strict=True))


def _against_sidecar(path: Path, root: Path, bytes_of: dict[Path, str]) -> Iterator[Finding]:
    name = _name(path, root)
    try:
        sidecar = provenance.read_sidecar(path)
        if bytes_of[path] != sidecar["artefact"]:
            yield Finding(name, f"its bytes have digest {bytes_of[path]}, its sidecar says {sidecar['artefact']}")
        if provenance.code_digest(sidecar["files"]) != sidecar["code"]:
            yield Finding(name, "its sidecar was edited: the code digest is not that of the files it lists")
        for link in chain.links(sidecar):
            other = root / link["file"]
            beside = provenance.sidecar_path(other)
            if not other.exists() or not beside.is_file():
                yield Finding(name, f"was made from {link['file']}, which is missing")
            elif digests.file_digest(beside) != link["sidecar"]:
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
            if task.output in current or not path.exists():
                continue
            current.add(task.output)
            try:
                sidecar = provenance.read_sidecar(path)
            except ValueError:
                continue  # named already
            if provenance.canonical(sidecar.get("settings")) != provenance.canonical(task.settings):
                yield Finding(task.output, "was made under other settings than today's")
            elif (today := code_files((task,))) != sidecar.get("files"):
                changed = sorted(
                    f for f in today.keys() | sidecar["files"].keys() if today.get(f) != sidecar["files"].get(f)
                )
                yield Finding(task.output, f"was made by other code than today's: {', '.join(changed)}")
    for path in sorted((root / plan.folder).rglob("*" + provenance.SIDECAR)):
        name = _name(path, root).removesuffix(provenance.SIDECAR)
        if name not in current and (root / name).exists():
            yield Finding(name, "belongs to nothing in the study; touchstone gc removes it")


def _pages(report: Path, root: Path, expected_root: str | None) -> Iterator[Finding]:
    """Yield what is wrong with the report's pages, the numbers on them, and the root digest."""
    folder = report.parent
    try:
        pages = provenance.read_sidecar(report)["pages"]
        for name, digest in pages.items():
            if not (folder / name).is_file():
                yield Finding(_name(folder / name, root), "is missing; the report's sidecar lists it")
            elif digests.file_digest(folder / name) != digest:
                yield Finding(_name(folder / name, root), "is not the page that the report's sidecar lists")
        found = chain.root_digest(root, [_name(report, root)])
        stated = (folder / chain.ROOT).read_text().strip()
        if found != stated:
            yield Finding(_name(folder / chain.ROOT, root), f"says {stated}, the chain gives {found}")
        if expected_root is not None and found != expected_root:
            yield Finding(_name(report, root), f"has root digest {found}, not {expected_root}")
        yield from _numbers(report, root)
    except (ValueError, KeyError, FileNotFoundError) as error:
        yield Finding(_name(report, root), f"cannot be checked: {error}")


def _numbers(report: Path, root: Path) -> Iterator[Finding]:
    """Yield the numbers on the page that are not in the line of metrics.csv that they name; its header is line 1."""
    import csv

    with (report.parent / "metrics.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    for value, line in NUMBER.findall(report.read_text()):
        row = rows[int(line) - 2] if 1 < int(line) <= len(rows) + 1 else {}
        if value not in (row.get("value"), row.get("low"), row.get("high")):
            yield Finding(_name(report, root), f"shows {value}, which is not in line {line} of metrics.csv")


def run_audit(study: str, as_json: bool, expected_root: str | None) -> int:
    """Print what an audit found, in words or as JSON; 0 where the chain is whole, else 1."""
    findings = audit(Plan(load(study)), expected_root=expected_root, quiet=as_json)
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=1))
    else:
        for finding in findings:
            print(f"{finding.file}: {finding.problem}")
        root = Path("reports") / load(study).name / chain.ROOT
        what = "The chain is whole" if not findings else f"{len(findings)} findings"
        print(what + (f". Root digest: {root.read_text().strip()}" if root.is_file() and not findings else ""))
    return 1 if findings else 0


def run_trace(file: str, as_json: bool) -> int:
    """Print what a file was made from as a tree, or as JSON {file: sidecar}; 1 where some of its bytes were altered."""
    page = Path(file).parent / "report.html"
    if not provenance.sidecar_path(Path(file)).is_file() and provenance.sidecar_path(page).is_file():
        file = page.as_posix()  # the other pages of a report stand under the sidecar of its first
    found = chain.reached(Path(), [file])
    there = [Path(name) for name in found if Path(name).exists()]
    bytes_of = _digests(there, quiet=True)
    altered = {path.as_posix() for path in there if bytes_of[path] != found[path.as_posix()]["artefact"]}
    if as_json:
        json.dump(found, sys.stdout, indent=1, sort_keys=True)
    else:
        for line in _tree(file, found, set(), 0):
            name = line.strip().split("  ")[0]
            print(line + ("  ALTERED: its bytes are others" if name in altered else ""))
    return 1 if altered else 0


def _tree(file: str, found: dict[str, dict[str, object]], seen: set[str], depth: int) -> Iterable[str]:
    sidecar = found[file]
    again = file in seen
    yield f"{'  ' * depth}{file}  {str(sidecar['artefact'])[:19]}  {sidecar['step']}" + ("  (above)" if again else "")
    if not again:
        seen.add(file)
        for link in chain.links(sidecar):
            yield from _tree(link["file"], found, seen, depth + 1)

"""`touchstone audit`: is the chain from raw data to report whole, or which link of it is not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import track

from touchstone import chain, commits, digests, packing, provenance
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
    what lies between them, its numbers against its metrics, and its root digest.
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
    bytes_of = bytes_found(there, quiet)
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


def audit_file(file: str, root: Path = Path(), quiet: bool = False) -> list[Finding]:
    """Return everything that breaks the chain of one file, back to raw data: bytes, sidecars, links.

    ValueError where a sidecar that the chain needs is missing or not readable.
    """
    paths = sorted(root / name for name in chain.reached(root, [file]))
    there = [path for path in paths if path.exists()]
    bytes_of = bytes_found(there, quiet)
    findings = [
        Finding(_name(path, root), "is missing; its sidecar is there") for path in paths if path not in bytes_of
    ]
    return findings + [finding for path in there for finding in _against_sidecar(path, root, bytes_of)]


def bytes_found(paths: list[Path], quiet: bool) -> dict[Path, str]:
    """Return the digest of each file or folder as it lies there, several read at a time."""

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
            elif isinstance(files := sidecar.get("files"), dict) and (today := code_files((task,))) != files:
                changed = sorted(f for f in today.keys() | files.keys() if today.get(f) != files.get(f))
                then = {name: files.get(name) for name in changed}
                commit = commits.of_code(root, tuple(then.items()))
                told = f"; that code is in commit {commit}" if commit else "; that code is in no commit here"
                yield Finding(task.output, f"was made by other code than today's: {', '.join(changed)}{told}")
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
        listed = {report.name, provenance.sidecar_path(report).name, chain.ROOT, *pages}
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            name = path.relative_to(folder).as_posix()
            if name not in listed and not path.name.startswith("."):  # Snakemake marks folders with hidden files
                yield Finding(_name(path, root), "belongs to nothing in the report")
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
    """Yield the numbers on the page that are not in the line of metrics.csv.gz that they name; its header is line 1."""
    rows = packing.rows_of((report.parent / packing.METRICS).read_bytes())
    for value, line in NUMBER.findall(packing.unpacked(report.read_text())):
        row = rows[int(line) - 2] if 1 < int(line) <= len(rows) + 1 else {}
        if value not in (row.get("value"), row.get("low"), row.get("high")):
            yield Finding(_name(report, root), f"shows {value}, which is not in line {line} of {packing.METRICS}")


def run_audit(what: str, as_json: bool, expected_root: str | None) -> int:
    """Print what an audit of a study or of one file found, in words or as JSON; 0 where the chain is whole, else 1."""
    path = Path(what)
    if provenance.sidecar_path(path).is_file():
        if expected_root is not None:
            raise ValueError(f"{what}: a root digest is that of a study, not of one file; name the study")
        findings, root = audit_file(path.as_posix(), quiet=as_json), None
    else:
        study = load(what)
        findings = audit(Plan(study), expected_root=expected_root, quiet=as_json)
        root = Path("reports") / study.name / chain.ROOT
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=1))
    else:
        for finding in findings:
            print(f"{finding.file}: {finding.problem}")
        told = "The chain is whole" if not findings else f"{len(findings)} findings"
        stated = f". Root digest: {root.read_text().strip()}" if root and root.is_file() and not findings else ""
        print(told + stated)
    return 1 if findings else 0

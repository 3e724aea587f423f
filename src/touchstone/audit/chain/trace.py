"""`touchstone trace`: show the inputs of a file or of a number in the report."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from touchstone import digests
from touchstone.audit.chain import other_code, report_tables
from touchstone.audit.chain.findings import actual_digests, artefacts_named, in_short
from touchstone.audit.chain.folded_tree import folded_tree
from touchstone.claims.criteria import COUNTER
from touchstone.evaluations.statistics.wording import of_line
from touchstone.messages import nearest, say
from touchstone.pipeline.jobs import environment
from touchstone.provenance import artefact_paths, chain, sidecar_files, whole_files
from touchstone.provenance.job_folders import RESULTS
from touchstone.report import packing
from touchstone.settings.files import DEFAULT_STUDY
from touchstone.settings.study import load

STUDY = re.compile(r"(?:results|reports)/([^/]+)/")
Sidecars = dict[str, dict[str, Any]]
FIRST = 8  # names of files that a folded trace prints if the files are not here
ALL = "Each file by itself: add --all"
DAMAGED = "Restore the sidecar from a copy, or delete the folder of its job and run the study again."


def run_trace(
    what: str | None,
    number: str | None,
    as_json: bool,
    picture: str | None,
    depth: int | None = None,
    folded: bool = False,
) -> int:
    """Print the chain of inputs behind a file, or behind a number of a study's report.

    Args:
        what: An artefact's path or name, a job's folder, or a page of a report; with `number`, the study or such a page.
        number: A claim's id, or a line of metrics.csv.gz.
        as_json: Whether to print JSON.
        picture: An SVG file to which the chain is drawn as well.
        depth: How many links back to print; None for all. Bytes are checked back to raw data in any case.
        folded: Whether to print a line for each network and rule instead of each file.

    Files that were built by other code than the code here are named on stderr.

    Returns:
        0, 1 if the report's table or a file of the chain was altered, or chain.PARTLY if data is missing.

    Raises:
        ValueError: Neither a file nor a number was named, the number or the report does not exist, or a sidecar is damaged.
    """
    if number is None and what is None:
        raise ValueError("name a file, or a number with --number CLAIM (or a line of metrics.csv.gz)")
    try:
        return _run_trace(what, number, as_json, picture, depth, folded)
    except sidecar_files.DamagedSidecar as error:
        raise ValueError(f"{error}. {DAMAGED}") from error


def _run_trace(
    what: str | None, number: str | None, as_json: bool, picture: str | None, depth: int | None, folded: bool
) -> int:
    forged = False
    if number is None:
        if report := _without_data(str(what)):
            return _not_followed(report, [str(what)], as_json)
        files = _artefacts(str(what))
    else:
        report = _report(what)
        names, description, tables = _behind(number, report)
        say(description, stream=sys.stderr if as_json else sys.stdout)
        for table in filter(_altered_page, tables):
            forged = True
            say(f"{table}: ALTERED: it is not the table that the report's sidecar lists", stream=sys.stderr)
        if _without_data(report.as_posix() + "/"):
            return 1 if forged else _not_followed(report, names, as_json, folded)
        files = artefact_paths.find_artefacts(Path(), report.name, names)
    sidecars = chain.reached(Path, files)
    existing = [Path(name) for name in sidecars if sidecar_files.exists(Path(name))]
    digest_of = actual_digests(existing, quiet=True)
    altered = {path.as_posix() for path in existing if digest_of[path] != sidecars[path.as_posix()]["artefact"]}
    problems = dict.fromkeys(altered, "ALTERED: its bytes differ from its sidecar")
    problems |= dict.fromkeys(
        sidecars.keys() - {path.as_posix() for path in existing}, "MISSING: only its sidecar is here"
    )
    if picture is not None:
        environment.set_environment(1)  # before matplotlib is imported: Jupyter's backend ends it
        from touchstone.audit.chain.chain_picture import draw

        whole_files.write_whole(Path(picture), draw(sidecars, altered), lasting=False)
    if as_json:
        json.dump(sidecars, sys.stdout, indent=1, sort_keys=True)
        print()
    elif folded:
        say(*folded_tree({file: _inputs(sidecar) for file, sidecar in sidecars.items()}))
        say(*(f"{name}  {problem}" for name, problem in problems.items()))
        say(ALL)
    else:
        seen: set[str] = set()
        for level, line in (each for file in files for each in _tree(file, sidecars, seen, 0)):
            name = line.split("  ")[0]
            if depth is None or level <= depth or name in problems:
                say("  " * level + line + (f"  {problems[name]}" if name in problems else ""))
    _print_other_code(what, sidecars)
    return 1 if altered or forged else chain.PARTLY if problems else 0


def _not_followed(report: Path, names: list[str], as_json: bool, folded: bool = False) -> int:
    """Print the names of artefacts whose data is not here, of many only the first if folded; return the exit code."""
    study = report.name
    shown = names[:FIRST] if folded and not as_json else names
    say(*(json.dumps(dict.fromkeys(names), indent=1).split("\n") if as_json else shown))
    if len(shown) < len(names):
        say(f"and {len(names) - len(shown)} more. {ALL}")
    _print_other_code(study, [(report / "report.html").as_posix()])
    message = f"{RESULTS}/{study}: is not here, so these files can be named, but not followed to raw data"
    say(f"{message}; {chain.how_to_get(study)}", stream=sys.stderr)
    return chain.PARTLY


def _print_other_code(what: str | None, files: Iterable[str]) -> None:
    """Print which files were built by other code than that here, unless the study's plugins, which are code, are unknown."""
    files = list(files)
    study = next((found[1] for file in files if (found := STUDY.match(file))), "")
    with suppress(ValueError, OSError):
        load(what if what and Path(what).suffix in (".yaml", ".yml") else study)  # it locates the plugins
        records = [(file, sidecar_files.read_sidecar(Path(file))) for file in files]
        say(*in_short(other_code.notes(records, Path()), other_code.BUILT), stream=sys.stderr)


def _altered_page(page: Path) -> bool:
    """Return whether a page of a report has other bytes than the report's sidecar lists."""
    report = page.parent / "report.html"
    if not sidecar_files.sidecar_path(report).is_file():
        return False
    pages = sidecar_files.read_sidecar(report).get("pages")
    return isinstance(pages, dict) and pages.get(page.name) != digests.file_digest(page)


def _artefacts(what: str) -> list[str]:
    """Return the artefacts that a user names; ValueError says how to name a number of a study."""
    path = Path(what)
    is_study = path.parent.as_posix() in (".", "reports", RESULTS)
    if is_study and (Path("reports") / path.name / packing.METRICS).is_file():
        raise ValueError(f"{what} is a study; name one of its numbers: touchstone trace {path.name} --number CLAIM")
    return artefacts_named(what)


def _without_data(file: str) -> Path | None:
    """Return the folder of a study's report, if a file is of the study, and the report is here, but its data is not."""
    study = STUDY.match(file)
    report = Path("reports", study[1]) if study else Path()
    return report if (report / chain.ROOT).is_file() and chain.absent(Path(), f"{RESULTS}/{report.name}") else None


def _report(what: str | None) -> Path:
    """Return the folder of a report that is named by its study or by a file in it."""
    path = Path(what or DEFAULT_STUDY)
    named = path.suffix in (".yaml", ".yml") or not path.is_file()  # a study, by its name or its file
    folder = Path("reports") / path.stem if named else path.parent
    folder = path if (path / packing.METRICS).is_file() else folder
    if not (folder / packing.METRICS).is_file():
        studies = [path.parent.name for path in Path("reports").glob(f"*/{packing.METRICS}")]
        raise ValueError(
            f"{folder / packing.METRICS}: does not exist; run the study first.{nearest(path.stem, studies)}"
        )
    return folder


def _behind(number: str, folder: Path) -> tuple[list[str], str, list[Path]]:
    """Return the names of the artefacts behind a number, the number in words, and the tables that say so."""
    metrics, table = folder / packing.METRICS, folder / report_tables.CLAIMS
    rows = report_tables.numbers(metrics, metrics.read_bytes())
    if number.isdigit():
        if not 2 <= int(number) <= len(rows) + 1:
            raise ValueError(f"{metrics}: has no row in line {number}; lines 2 to {len(rows) + 1} have one")
        row = rows[int(number) - 2]
        description = f"{row['metric']} of {row['entry']} on {row['examples']}: {of_line(row, 'value')}"
        return row["files"].split(), description, [metrics]
    claims = {row["claim"]: row for row in report_tables.claims(table, table.read_bytes())}
    if number not in claims:
        raise ValueError(f"{table}: no claim {number}.{nearest(number, claims)}")
    row = claims[number]
    name = f"{row['number']} " if row["number"] else ""
    word = f", {'counter-claim ' * (row['kind'] == COUNTER)}{row['status']}" if row["status"] else ""
    description = f"{number}{word}: {name}{of_line(row, 'measured') or 'no number'}"
    own = (one for one in rows if (one["evaluation"], one["entry"]) == (packing.OF_CLAIMS, number))
    files = list(dict.fromkeys(file for one in own for file in one["files"].split()))
    if not files:
        raise ValueError(f"{table}: {description}, which was computed from no file ({row['note']})")
    return files, description, [table, metrics]


def _tree(file: str, sidecars: Sidecars, seen: set[str], depth: int) -> Iterator[tuple[int, str]]:
    sidecar = sidecars[file]
    again = file in seen
    yield depth, f"{file}  {str(sidecar['artefact'])[:19]}  {sidecar['step']}" + ("  (above)" if again else "")
    if not again:
        seen.add(file)
        for link in _inputs(sidecar):
            yield from _tree(link, sidecars, seen, depth + 1)


def _inputs(sidecar: dict[str, Any]) -> Iterable[str]:
    return dict.fromkeys(link["file"] for link in chain.links(sidecar))

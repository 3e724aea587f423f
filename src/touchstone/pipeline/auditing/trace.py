"""`touchstone trace`: where a file or a number of the report comes from, as a tree, as JSON, as a picture."""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from touchstone.messages import nearest
from touchstone.pipeline.auditing.findings import bytes_found
from touchstone.pipeline.provenance import chain, sidecar_files, whole_files
from touchstone.pipeline.provenance.addresses import Address
from touchstone.pipeline.settings.files import DEFAULT_STUDY
from touchstone.report import packing

Sidecars = dict[str, dict[str, Any]]


def run_trace(what: str | None, number: str | None, as_json: bool, picture: str | None) -> int:
    """Print what a file was made from, or a number of a study's report.

    Returns 1 where some of its bytes were altered, and chain.PARTLY where the study's data is not here to be followed.

    what: a file, or with a number the study (or any file of its report). number: a claim's id, or a line of metrics.csv.gz.
    picture: an SVG file to draw the chain into, besides what is printed.
    """
    if number is None and what is None:
        raise ValueError("name a file, or a number with --number CLAIM (or a line of metrics.csv.gz)")
    files = _artefacts(str(what)) if number is None else _behind(number, _report(what))
    if study := _without_data(files[0]):
        print(json.dumps(dict.fromkeys(files), indent=1) if as_json else "\n".join(files))
        told = f"data/{study}: is not here, so these files can be named, but not followed to raw data"
        print(f"{told}; {chain.how_to_get(study)}", file=sys.stderr)
        return chain.PARTLY
    found = chain.reached(Path(), files)
    there = [Path(name) for name in found if sidecar_files.exists(Path(name))]
    bytes_of = bytes_found(there, quiet=True)
    altered = {path.as_posix() for path in there if bytes_of[path] != found[path.as_posix()]["artefact"]}
    if picture is not None:
        from touchstone.pipeline.auditing.chain_picture import draw

        whole_files.write_whole(Path(picture), draw(found, altered), lasting=False)
    if as_json:
        json.dump(found, sys.stdout, indent=1, sort_keys=True)
        print()
    else:
        seen: set[str] = set()
        for line in (line for file in files for line in _tree(file, found, seen, 0)):
            name = line.strip().split("  ")[0]
            print(line + ("  ALTERED: its bytes are others" if name in altered else ""))
    return 1 if altered else 0


def _artefacts(file: str) -> list[str]:
    """Return the artefacts that a file holds: itself, a bundle's members; for another page of a report, its first."""
    path, page = Path(file), Path(file).parent / "report.html"
    if sidecar_files.sidecar_path(path).is_file():
        return [path.as_posix()] if Address.parse(path).member else sidecar_files.addresses(path)
    return [page.as_posix() if sidecar_files.sidecar_path(page).is_file() else path.as_posix()]


def _without_data(file: str) -> str | None:
    """Return the study that a file belongs to, if its report is here and its data is not."""
    study = re.match(r"(?:data|reports)/([^/]+)/", file)
    here = study is not None and Path("reports", study[1], chain.ROOT).is_file()
    return study[1] if study and here and chain.absent(Path(), f"data/{study[1]}") else None


def _report(what: str | None) -> Path:
    """Return the folder of a report, given by its study or by a file in it."""
    path = Path(what or DEFAULT_STUDY)
    folder = path if path.is_dir() else path.parent if path.is_file() else Path("reports") / path.stem
    if not (folder / packing.METRICS).is_file():
        raise ValueError(f"{folder / packing.METRICS}: no such file; run the study first")
    return folder


def _behind(number: str, folder: Path) -> list[str]:
    """Return the files that a number was computed from, and say on stderr which number it is."""
    if number.isdigit():
        table = folder / packing.METRICS
        rows = packing.rows_of(table.read_bytes())
        if not 2 <= int(number) <= len(rows) + 1:
            raise ValueError(f"{table}: has no row in line {number}; lines 2 to {len(rows) + 1} have one")
        row = rows[int(number) - 2]
        told = f"{row['metric']} of {row['entry']} on {row['examples']}: {row['value']}"
    else:
        with (folder / "claims.csv").open(newline="") as stream:
            claims = {row["claim"]: row for row in csv.DictReader(stream)}
        if number not in claims:
            raise ValueError(f"{folder / 'claims.csv'}: no claim {number}.{nearest(number, claims)}")
        row = claims[number]
        told = f"{number}, {row['status']}: {row['measured'] or 'no number'}"
        if not row["files"]:
            raise ValueError(f"{folder / 'claims.csv'}: {told}, so no file stands behind it ({row['note']})")
    print(told, file=sys.stderr)
    return row["files"].split()


def _tree(file: str, found: Sidecars, seen: set[str], depth: int) -> Iterator[str]:
    sidecar = found[file]
    again = file in seen
    yield f"{'  ' * depth}{file}  {str(sidecar['artefact'])[:19]}  {sidecar['step']}" + ("  (above)" if again else "")
    if not again:
        seen.add(file)
        for link in _inputs(sidecar):
            yield from _tree(link, found, seen, depth + 1)


def _inputs(sidecar: dict[str, Any]) -> Iterable[str]:
    return dict.fromkeys(link["file"] for link in chain.links(sidecar))

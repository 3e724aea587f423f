"""`touchstone crate STUDY`: pack a finished study and its provenance into one zip.

Everything comes from the sidecars, without clock, host or user, so one study gives one zip, byte for byte.
"""

from __future__ import annotations

import argparse
import os
import shutil
import zipfile
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path

from touchstone import digests
from touchstone.commands._command_line import add_study
from touchstone.commands._crate_metadata import METADATA, metadata
from touchstone.evidence_files.archive import DATE, zip_entry
from touchstone.pipeline.planning.plan import Plan
from touchstone.pipeline.provenance import chain, git, sidecar_files, whole_files
from touchstone.pipeline.settings.study import load
from touchstone.plugins import PACKAGE

SOURCES = (
    "Snakefile",
    "params.yaml",
    "requirements.lock",
    "pyproject.toml",
    "LICENSE",
    "profiles",
    "workflow",
    "src/touchstone",
)


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `crate`."""
    add_study(parser)
    parser.add_argument("--out", help="the zip to write (default: build/STUDY.crate.zip)")


def main(options: argparse.Namespace) -> int:
    """Write the zip and print its size."""
    plan = Plan(load(options.study))
    target = Path(options.out or f"build/{plan.study.name}.crate.zip")
    files = write(plan, target)
    print(f"{target}: {files} files, {target.stat().st_size / 1e6:.0f} MB")
    return 0


def write(plan: Plan, target: Path, root: Path = Path()) -> int:
    """Write a finished study's crate as a zip and return the number of its files.

    Raises:
        ValueError: a file is missing, its bytes differ from its sidecar, or the study names a place outside the project.
    """
    records = chain.reached(lambda file: root / file, [plan.layout.page])
    sidecars = {sidecar_files.sidecar_path(Path(name)).as_posix() for name in records}
    names = [*records, *sidecars, *plan.layout.more_pages]
    names += [name for name in SOURCES if (root / name).exists()] + _own(plan, root)
    files = sorted(set(_files(root, names)))
    content = {name: digests.file_digest(root / name) for name in files}
    for name, record in records.items():
        digest = digests.folder_digest(root / name) if (root / name).is_dir() else content[name]
        if digest != record["artefact"]:
            raise ValueError(f"{name}: its bytes do not match its sidecar; see touchstone audit {plan.study.name}")
    sizes = {name: (root / name).stat().st_size for name in files}
    text = metadata(plan, records, content, sizes, published(root, plan))
    _zip(target, root, files, sorted(set(records) - set(content)), text)
    return len(files) + 1


def _own(plan: Plan, root: Path) -> list[str]:
    """Return the study's files of settings and the user's own papers and plug-ins, as paths from the project's folder."""
    places = (*map(Path, plan.study.files), *(root / folder for folder in plan.study.folders))
    own = [place for place in places if not place.is_relative_to(PACKAGE)]  # the shipped papers are in src/touchstone
    names = [Path(os.path.relpath(place, root)) for place in own]
    for place, name in zip(own, names, strict=True):
        if name.parts[:1] in ((), ("..",)):
            raise ValueError(
                f"{plan.study.name}: reads {place}, and a crate holds only what lies inside the project's folder; move it"
                " there and name its new path in the study"
            )
    return [name.as_posix() for name in names]


def published(root: Path, plan: Plan) -> str:
    """Return the crate's date, as YYYY-MM-DD.

    It is SOURCE_DATE_EPOCH, else the date of the last commit of the study's ROOT, else 1980-01-01.
    """
    if epoch := os.environ.get("SOURCE_DATE_EPOCH"):
        return datetime.fromtimestamp(int(epoch), UTC).date().isoformat()
    line = git.output(root, "log", "-1", "--format=%cs", "--", f"reports/{plan.study.name}/{chain.ROOT}") or b""
    return line.decode().strip() or date(*DATE[:3]).isoformat()


def _files(root: Path, names: Iterable[str]) -> Iterator[str]:
    """Yield these files, and for a folder the files in it that are not hidden."""
    for name in names:
        if not (root / name).is_dir():
            yield name
            continue
        for path in sorted((root / name).rglob("*")):
            hidden = any(part.startswith((".", "__pycache__")) for part in path.relative_to(root / name).parts)
            if path.is_file() and not hidden:
                yield path.relative_to(root).as_posix()


def _zip(target: Path, root: Path, files: list[str], folders: list[str], text: bytes) -> None:
    """Write the whole zip or nothing, without compression, because zlib's output differs between its versions."""
    with whole_files.replaced(target, lasting=False) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        archive.writestr(zip_entry(METADATA, len(text)), text)
        for folder in folders:
            archive.writestr(zip_entry(folder + "/"), b"")
        for name in files:
            path = root / name
            with path.open("rb") as source, archive.open(zip_entry(name, path.stat().st_size), "w") as part:
                shutil.copyfileobj(source, part)

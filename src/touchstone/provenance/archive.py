"""The archive of a pack: a zip whose first member, evidence.json, lists all others with their digests.

Reading one runs no code and unpickles nothing. The readers of tables and tensors see only bytes whose digests match.
"""

from __future__ import annotations

import json
import re
import shutil
import stat
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import psutil

from touchstone import __version__
from touchstone.digests import canonical, sha256
from touchstone.messages import first_line
from touchstone.provenance import whole_files
from touchstone.records import size_limits
from touchstone.records.encoding import NOT_WHOLE

FORMAT = "touchstone evidence 3"
MANIFEST = "evidence.json"
DATE = (1980, 1, 1, 0, 0, 0)  # the earliest date of a zip, so its bytes depend on no clock
LEVEL = 1  # of deflate: three times as fast as its default, for 5 % more bytes
MANIFEST_BYTES, ENTRY_BYTES = 2**16, 2**8  # of a manifest without its entries, and of each entry without its name
MANIFEST_VALUES, ENTRY_VALUES = 2**14, 4  # of the same, as `size_limits.problem_of_json` counts them; an entry has 3
MOST_FILES = 200_000
LONGEST_NAME = 255  # letters of a file's or a folder's name, on most disks
MOST_EXPANSION = 500  # times the archive's size; black images with one digit shrink to 1/200
SMALL = 2**26  # bytes that any archive may expand to
FREE = 4  # times a file's size: the memory that reading it takes
# Why a file of a kind is not read, although its size is plausible; "" if it is.
PROBLEMS: dict[str, Callable[[bytes], str]] = {
    ".json": size_limits.problem_of_json,
    ".csv": size_limits.problem_of_table,
    ".safetensors": size_limits.problem_of_header,
}
# Data, settings, the report and the rules of the workflow. Nothing that a Python process imports can be in a pack.
_PART = r"(?!\.)[A-Za-z0-9_.+@=-]+"  # no hidden file
NAME = re.compile(
    rf"(?:{_PART}/)*{_PART}\.(?:safetensors|csv|json|yaml|gz|html|smk)|reports/[a-z0-9_]+/ROOT|workflow/Snakefile"
)


class EvidenceError(ValueError):
    """A pack that cannot be read: the file, what is wrong, what to do."""


class Entry(NamedTuple):
    """One file in an archive: the digest and the size of its bytes."""

    digest: str
    size: int


@dataclass(frozen=True)
class Evidence:
    """The manifest of a pack.

    Attributes:
        kind: "study" or "evaluation": what the claims are about.
        about: what the kind needs besides its files, as JSON.
        entries: {name: entry} of its files.
        digest: of the manifest's bytes. It covers every file, so it identifies the pack.
    """

    kind: str
    about: dict[str, Any]
    entries: dict[str, Entry] = field(default_factory=dict)
    digest: str = ""


def zip_entry(name: str, size: int = 0) -> zipfile.ZipInfo:
    """Return the zip entry of a file. It depends neither on the clock nor on the operating system.

    Args:
        name: The name of the file.
        size: The number of its bytes, if they are written piece by piece.
    """
    made = zipfile.ZipInfo(name, DATE)
    made.external_attr, made.create_system, made.file_size = 0o644 << 16, 3, size
    return made


def write(path: Path, kind: str, about: dict[str, Any], files: Iterable[tuple[str, Callable[[], bytes]]]) -> Evidence:
    """Write a pack, whole or not at all: equal contents give equal bytes under one version of zlib.

    Args:
        path: The file to write.
        kind: What the claims are about.
        about: What the kind needs besides its files, as JSON.
        files: (name, function that returns its bytes), in any order. One file at a time is in memory.

    Returns:
        The manifest that was written.
    """
    entries: dict[str, Entry] = {}
    with whole_files.replaced(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, read in sorted(files, key=lambda item: item[0]):
            if not NAME.fullmatch(name):
                raise EvidenceError(f"{name}: a pack holds no file of this name")
            data = read()
            entries[name] = Entry(sha256(data), len(data))
            archive.writestr(zip_entry(name), data, zipfile.ZIP_DEFLATED, LEVEL)
        listed = {name: entry._asdict() for name, entry in entries.items()}
        text = canonical({"format": FORMAT, "kind": kind, "about": about, "files": listed}).encode()
        archive.writestr(zip_entry(MANIFEST), text, zipfile.ZIP_DEFLATED)
    return Evidence(kind, about, entries, sha256(text))


def read_manifest(path: Path) -> Evidence:
    """Return the manifest of a pack.

    Raises:
        EvidenceError: The file is not a whole pack.
        FileNotFoundError: There is no such file.
    """
    with _opened(path) as (_, evidence):
        return evidence


def unpack(path: Path, folder: Path) -> tuple[Evidence, list[tuple[str, str]]]:
    """Unpack a pack into an empty folder.

    Args:
        path: The pack.
        folder: Where to put its files, under the names in its manifest.

    Returns:
        The manifest, and (file, what is wrong with it) for each file whose bytes are not those that the manifest lists.
        Such a file is not written.

    Raises:
        EvidenceError: The file is not a whole pack.
        FileNotFoundError: There is no such file.
    """
    problems = []
    with _opened(path) as (archive, evidence):
        folder.mkdir(parents=True, exist_ok=True)
        _check_room(path, evidence, folder)
        for name, entry in evidence.entries.items():
            try:
                data = _bytes(archive, name, entry.size)
                if (check := PROBLEMS.get(PurePosixPath(name).suffix)) and (problem := check(data)):
                    raise ValueError(problem)
                if name.endswith(".json"):
                    json.loads(data)  # nested too deep, it would stop every reader of records
            except NOT_WHOLE as error:
                problems.append((name, f"cannot be unpacked: {first_line(error)}"))
                continue
            if (digest := sha256(data)) != entry.digest:
                problems.append((name, f"its bytes have digest {digest}, the manifest says {entry.digest}"))
                continue
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
    return evidence, problems


def _check_room(path: Path, evidence: Evidence, folder: Path) -> None:
    """Raise EvidenceError if the files need more disk or memory than this machine has free."""
    sizes = [entry.size for entry in evidence.entries.values()]
    needed = {"disk": (sum(sizes), shutil.disk_usage(folder).free)}
    needed["memory"] = (FREE * max(sizes, default=0), psutil.virtual_memory().available)
    for what, (bytes_, free) in needed.items():
        if bytes_ > free:
            raise EvidenceError(f"{path}: reading it takes {bytes_:,} bytes of {what}, and {free:,} are free here")


@contextmanager
def _opened(path: Path) -> Iterator[tuple[zipfile.ZipFile, Evidence]]:
    if not path.is_file():
        raise FileNotFoundError(2, "no such pack", str(path))
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive, _manifest(path, archive)
    except EvidenceError:
        raise
    except NOT_WHOLE as error:
        advice = "it is truncated, damaged, or no pack; ask its author for another copy"
        raise EvidenceError(f"{path}: cannot be read ({first_line(error)}); {advice}") from error


def _manifest(path: Path, archive: zipfile.ZipFile) -> Evidence:
    infos = {info.filename: info for info in archive.infolist()}
    if len(infos) < len(archive.infolist()) or len({name.casefold() for name in infos}) < len(infos):
        raise EvidenceError(f"{path}: holds two files of one name, so its readers may see different files")
    if MANIFEST not in infos:
        raise EvidenceError(f"{path}: has no {MANIFEST}, so it is no pack; `touchstone pack` writes one")
    if len(infos) > MOST_FILES:
        raise EvidenceError(f"{path}: holds {len(infos):,} files; a pack has at most {MOST_FILES:,}")
    if links := [name for name, info in infos.items() if stat.S_ISLNK(info.external_attr >> 16)]:
        raise EvidenceError(f"{path}: {links[0]!a} is a link; a pack holds only files")
    text = _bytes(archive, MANIFEST, MANIFEST_BYTES + sum(ENTRY_BYTES + len(name) for name in infos))
    if problem := size_limits.problem_of_json(text, MANIFEST_VALUES + ENTRY_VALUES * len(infos)):
        raise EvidenceError(
            f"{path}: the manifest of its {len(infos):,} files is refused as a bomb: {problem}; ask its author for another"
        )
    content = json.loads(text, object_pairs_hook=_without_twins)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        written = content.get("format") if isinstance(content, dict) else None
        raise EvidenceError(
            f"{path}: its format is {written!r}, and touchstone {__version__} reads {FORMAT!r}; ask its author for a pack"
            f" that touchstone pack of {__version__} writes, or verify it with the version that wrote it"
        )
    for name, entry in content["files"].items():
        if not isinstance(entry, dict) or entry.keys() != set(Entry._fields):
            raise EvidenceError(
                f"{path}: its manifest has to give {' and '.join(Entry._fields)} of {name[:80]!a}, no more"
            )
    entries = {name: Entry(**entry) for name, entry in content["files"].items()}
    folders = {parent.as_posix() for name in entries for parent in PurePosixPath(name).parents}
    for name, entry in entries.items():
        if not NAME.fullmatch(name):
            raise EvidenceError(
                f"{path}: lists {name!a}; a pack holds only data, settings and pages, inside its own folder"
            )
        if name in folders or max(map(len, name.split("/"))) > LONGEST_NAME:
            raise EvidenceError(
                f"{path}: lists {name[:80]!a}, which no folder can hold: it is too long, or a folder too"
            )
        if type(entry.size) is not int or entry.size < 0:
            raise EvidenceError(f"{path}: its manifest describes {name} in a way that no touchstone writes")
    if differing := sorted((entries.keys() ^ infos.keys()) - {MANIFEST}):
        raise EvidenceError(f"{path}: {differing[0]} is either not in its manifest or only there")
    allowed = max(SMALL, MOST_EXPANSION * path.stat().st_size)
    if (total := sum(entry.size for entry in entries.values())) > allowed:
        raise EvidenceError(
            f"{path}: would unpack to {total:,} bytes, {allowed:,} are plausible; refused as a zip bomb"
        )
    if not isinstance(content["kind"], str) or not isinstance(content["about"], dict):
        raise EvidenceError(f"{path}: its manifest does not say what it is about")
    return Evidence(content["kind"], content["about"], entries, sha256(text))


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(content := dict(pairs)) < len(pairs):
        raise ValueError("a key of the manifest is there twice")
    return content


def _bytes(archive: zipfile.ZipFile, name: str, size: int) -> bytes:
    """Return a member's bytes, and never read more than its stated size."""
    with archive.open(name) as stream:
        data = stream.read(size + 1)
    if len(data) > size:
        raise ValueError(f"{name} unpacks to more than the {size:,} bytes that are stated")
    return data

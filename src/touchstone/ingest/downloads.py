"""The archives that a source publishes: taken from a folder or downloaded, and checked before anything in them is read.

What was downloaded is kept under .touchstone/downloads, or where TOUCHSTONE_DOWNLOADS says, so that clones can share it and
new code fetches nothing twice. It may be deleted at any time.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import http.client
import os
import tarfile
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from touchstone.ingest.raw_files import read_bytes
from touchstone.records.encoding import DamagedFile

FOLDER = Path(".touchstone/downloads")
ATTEMPTS, TIMEOUT, BLOCK = 3, 60, 1 << 20  # tries of one address, seconds without a byte, bytes
NETWORK_ERRORS = (OSError, http.client.HTTPException)  # urllib's are OSErrors
UNREADABLE = (OSError, EOFError, zlib.error, tarfile.TarError, zipfile.BadZipFile, NotImplementedError)

Watcher = Callable[[int, int], None]  # (bytes here, bytes in all)
watcher: ContextVar[Watcher | None] = ContextVar("watcher", default=None)


@dataclass(frozen=True)
class Archive:
    """A file that a source publishes: its name, the addresses that serve it, its published digest ("md5:<hex>")."""

    name: str
    urls: tuple[str, ...]
    digest: str


def published(archives: Sequence[Archive], source: str, *, local_folder: str | None, mirror: str | None) -> list[Path]:
    """Return where the archives lie, each with the digest that its publisher gives it.

    They are looked for in `local_folder` alone if it is given; else downloaded, from `mirror` (an http address that serves
    them by their names) if it is given. A download that was cut is taken up where it ended. FileNotFoundError names the
    files that are missing and where to put them; DamagedFile one whose digest is another.
    """
    if local_folder is not None:
        place = Path(local_folder).expanduser()
        missing = [archive for archive in archives if not (place / archive.name).is_file()]
        if missing:
            raise FileNotFoundError(f"{source}: local_folder {place} lacks:\n{_listed(missing)}")
        for archive in archives:
            check(place / archive.name, archive.digest)
        return [place / archive.name for archive in archives]
    return [_downloaded(archive, archives, source, mirror) for archive in archives]


def check(path: Path, digest: str) -> None:
    """Raise DamagedFile unless the file has that digest, "<algorithm>:<hex>"."""
    if (found := _digest(path, digest)) != digest:
        raise DamagedFile(f"{path}: expected {digest}, found {found}: cut, altered, or another version")


def _digest(path: Path, like: str) -> str:
    algorithm = like.partition(":")[0]
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, lambda: hashlib.new(algorithm, usedforsecurity=False))
    return f"{algorithm}:{found.hexdigest()}"


def _listed(archives: Sequence[Archive]) -> str:
    return "\n".join(f"  {archive.name}  ({archive.digest}, from {archive.urls[0]})" for archive in archives)


# --- downloading --------------------------------------------------------------------------------------------------


def _downloaded(archive: Archive, all_of_them: Sequence[Archive], source: str, mirror: str | None) -> Path:
    path = Path(os.environ.get("TOUCHSTONE_DOWNLOADS") or FOLDER) / archive.name
    if path.is_file() and _digest(path, archive.digest) == archive.digest:
        return path
    part = path.with_name(f"{path.name}.{archive.digest.rpartition(':')[2][:8]}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    urls = (f"{mirror.rstrip('/')}/{archive.name}",) if mirror else archive.urls
    failures = []
    for url in urls:
        try:
            _persist(url, part)
        except NETWORK_ERRORS as error:
            failures.append(f"{url}: {error}")
            continue
        try:
            check(part, archive.digest)
        except DamagedFile as error:
            part.unlink()  # or it would be taken up for ever
            failures.append(f"{url}: sent another file ({error})")
            continue
        part.replace(path)
        return path
    told = "; ".join(failures)
    raise FileNotFoundError(
        f"{source}: could not download {archive.name} ({told}).\n"
        "Without network, put these files, as they are, into a folder:\n"
        f"{_listed(all_of_them)}\n"
        f"and set local_folder of sources.{source} to it; or mirror to an address that serves them.\n"
        f"Or leave it out: study.absent: [{source}]; what leans on it is then not run, and the report says so."
    )


def _persist(url: str, part: Path) -> None:
    """Download into `part`, going on after what is there; a few tries, since long downloads are cut now and then."""
    for attempt in range(ATTEMPTS):
        try:
            return _get(url, part)
        except urllib.error.HTTPError as error:
            if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and part.is_file():
                part.unlink()  # longer than what is served
            if attempt == ATTEMPTS - 1 or error.code == http.HTTPStatus.NOT_FOUND:
                raise
        except NETWORK_ERRORS:
            if attempt == ATTEMPTS - 1:
                raise
    return None


def _get(url: str, part: Path) -> None:
    if not url.startswith(("https://", "http://")):
        raise OSError(f"not an http address: {url}")
    there = part.stat().st_size if part.is_file() else 0
    headers = {"User-Agent": "touchstone"} | ({"Range": f"bytes={there}-"} if there else {})
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT) as answer:
        goes_on = answer.status == http.HTTPStatus.PARTIAL_CONTENT
        length = answer.headers.get("Content-Length")
        start = there if goes_on else 0
        total = start + int(length) if length else 0
        with part.open("ab" if goes_on else "wb") as stream:
            done = _copy(answer, stream, start, total)
    if total and done < total:
        raise ConnectionError(f"cut after {done:,} of {total:,} bytes")


def _copy(answer: IO[bytes], stream: IO[bytes], done: int, total: int) -> int:
    report = watcher.get()
    while block := answer.read(BLOCK):
        stream.write(block)
        done += len(block)
        if report is not None and total:
            report(done, total)
    return done


@contextlib.contextmanager
def watched(report: Watcher) -> Iterator[None]:
    """Tell `report` of every download in the block."""
    token = watcher.set(report)
    try:
        yield
    finally:
        watcher.reset(token)


# --- unpacking ----------------------------------------------------------------------------------------------------


def unpack(archive: Path, folder: Path, name_of: Callable[[str], str | None]) -> None:
    """Write the archive's files (tar, packed or not, or zip) under the names that `name_of` gives them, None for none.

    Only plain files are written, and only inside `folder`. DamagedFile where the archive is not whole, or holds nothing
    that `name_of` wants.
    """
    written = 0
    try:
        for member, stream in _members(archive):
            if (name := name_of(member)) is None:
                continue
            if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
                raise DamagedFile(f"{archive}: holds {member}, which leads out of its folder")
            target = folder / name
            if target.exists():
                raise DamagedFile(f"{archive}: holds two files called {name}")
            target.parent.mkdir(parents=True, exist_ok=True)
            with stream, target.open("wb") as out:
                while block := stream.read(BLOCK):
                    out.write(block)
            written += 1
    except UNREADABLE as error:
        if isinstance(error, OSError) and error.errno:
            raise  # a full disk, not a bad archive
        raise DamagedFile(f"{archive}: not a whole archive ({error})") from error
    if not written:
        raise DamagedFile(f"{archive}: holds none of the files that it should")


def _members(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Yield (name, stream) of every plain file."""
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive) as packed:
            for entry in packed.infolist():
                if not entry.is_dir():
                    yield entry.filename, packed.open(entry)
    else:
        with tarfile.open(archive) as tape:
            for member in tape:
                if member.isfile() and (stream := tape.extractfile(member)) is not None:
                    yield member.name, stream


def gunzipped(path: Path) -> bytes:
    """Return a file's bytes, those of NAME.gz unpacked; DamagedFile where it is not whole."""
    data = read_bytes(path)
    try:
        return gzip.decompress(data) if path.suffix == ".gz" else data
    except (OSError, EOFError, zlib.error) as error:
        raise DamagedFile(f"{path}: not a whole gzip file ({error})") from error


def idx_files(
    archives: Sequence[Archive], source: str, folder: Path, *, local_folder: str | None, mirror: str | None
) -> None:
    """Write the gzipped idx files into `folder`, unpacked.

    A `local_folder` may hold them unpacked too, or packed by another gzip: the source's sha256 judges what is in them.
    """
    if local_folder is None:
        places = published(archives, source, local_folder=None, mirror=mirror)
    else:
        here = Path(local_folder).expanduser()
        found = {archive: _plain_or_packed(here, archive.name) for archive in archives}
        missing = [archive for archive, place in found.items() if place is None]
        if missing:
            raise FileNotFoundError(f"{source}: local_folder {here} lacks, packed or unpacked:\n{_listed(missing)}")
        places = [place for place in found.values() if place is not None]
    for archive, place in zip(archives, places, strict=True):
        (folder / archive.name.removesuffix(".gz")).write_bytes(gunzipped(place))


def has_idx_files(archives: Sequence[Archive], place: Path) -> bool:
    """Return whether a folder holds all of the idx files, packed or not."""
    return all(_plain_or_packed(place, archive.name) is not None for archive in archives)


def _plain_or_packed(place: Path, name: str) -> Path | None:
    return next((path for path in (place / name.removesuffix(".gz"), place / name) if path.is_file()), None)

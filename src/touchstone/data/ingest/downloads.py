"""The archives that a source publishes: read from a folder or downloaded, and checked before they are opened.

Downloads are stored in .touchstone/downloads/SOURCE, or in the folder that TOUCHSTONE_DOWNLOADS names, so that clones can
share them. That folder may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from touchstone.data.ingest.http_files import BLOCK, AnotherFile, alone, download
from touchstone.data.ingest.raw_files import read_bytes
from touchstone.records import size_limits
from touchstone.records.damage import DamagedFile

FOLDER = Path(".touchstone/downloads")
SMALL, MOST_EXPANSION = 2**26, 100  # bytes that any archive may unpack to, and times its size
FEW, MEMBER_BYTES = 10_000, 20  # files that any archive may hold, and bytes that each more takes in it at least
LARGEST_GZIP = 2**28  # bytes; the images of MNIST have 47 million
UNREADABLE = (OSError, EOFError, zlib.error, tarfile.TarError, zipfile.BadZipFile, RuntimeError)  # of a password, too


@dataclass(frozen=True)
class Archive:
    """A file that a source publishes.

    Attributes:
        name: of the file.
        urls: addresses that serve it, tried in this order.
        digest: as published, "md5:<hex>" or "sha256:<hex>".
    """

    name: str
    urls: tuple[str, ...]
    digest: str


class WrongDigest(FileNotFoundError):
    """Every address of an archive sent a file with another digest."""


def published(archives: Sequence[Archive], source: str, *, local_folder: str | None, mirror: str | None) -> list[Path]:
    """Return the paths of the archives, each checked against its published digest.

    Args:
        archives: of the source.
        source: its name in messages.
        local_folder: the only folder to look in; None: download.
        mirror: http address of a folder that serves the archives by name; None: the published addresses.

    Raises:
        FileNotFoundError: If an archive is missing; the message says where to put it.
        WrongDigest: If its addresses send another one.
        DamagedFile: If an archive in `local_folder` has another digest.
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
    """Check that a file has a digest, "<algorithm>:<hex>"; DamagedFile otherwise."""
    if (actual := _digest(path, digest)) != digest:
        raise DamagedFile(f"{path}: expected {digest}, found {actual}: truncated, altered or another version")


def _digest(path: Path, like: str) -> str:
    algorithm = like.partition(":")[0]
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, lambda: hashlib.new(algorithm, usedforsecurity=False))
    return f"{algorithm}:{digest.hexdigest()}"


def _listed(archives: Sequence[Archive]) -> str:
    return "\n".join(f"  {archive.name}  ({archive.digest}, from {archive.urls[0]})" for archive in archives)


# --- downloading --------------------------------------------------------------------------------------------------


def _downloaded(archive: Archive, archives: Sequence[Archive], source: str, mirror: str | None) -> Path:
    folder = Path(os.environ.get("TOUCHSTONE_DOWNLOADS") or FOLDER).expanduser()
    path = folder / source / archive.name  # two sources may publish files of the same name
    places = (path, folder / archive.name)  # users may put a file directly into the folder
    if stored := _stored(places, archive.digest):
        return stored
    path.parent.mkdir(parents=True, exist_ok=True)
    urls = (f"{mirror.rstrip('/')}/{archive.name}",) if mirror else archive.urls
    failures, others = [], 0
    with alone(path):
        if stored := _stored(places, archive.digest):  # by the run that held the lock
            return stored
        for url in urls:
            try:
                download(url, path, archive.digest)
            except ConnectionError as error:
                failures.append(f"{url}: {error}")
                others += isinstance(error, AnotherFile)
            else:
                return path
    if others == len(failures):
        raise WrongDigest(f"{source}: {archive.name} has another digest ({'; '.join(failures)}).")
    raise FileNotFoundError(
        f"{source}: could not download {archive.name} ({'; '.join(failures)}).\n"
        "Without network, put these files, as they are, into a folder:\n"
        f"{_listed(archives)}\n"
        f"and set data.sources.{source}.local_folder to it, or data.sources.{source}.mirror to an address that has them.\n"
        f"To run without this source, set scale.absent: [{source}]; the report then says what was not run."
    )


def _stored(places: Sequence[Path], digest: str) -> Path | None:
    return next((place for place in places if place.is_file() and _digest(place, digest) == digest), None)


# --- unpacking ----------------------------------------------------------------------------------------------------


def unpack(archive: Path, folder: Path, name_of: Callable[[str], str | None]) -> None:
    """Write files of an archive into a folder, under names of our choice.

    Only plain files are written, and only inside `folder`.

    Args:
        archive: tar (compressed or not) or zip.
        folder: where to write.
        name_of: the name for each member, None to skip it.

    Raises:
        DamagedFile: If the archive is not whole, has no member that `name_of` wants, or unpacks to more than plausible.
    """
    size, written, left = archive.stat().st_size, 0, max(SMALL, MOST_EXPANSION * archive.stat().st_size)
    try:
        for number, (member, stream) in enumerate(_members(archive)):
            if number > FEW + size // MEMBER_BYTES:
                raise DamagedFile(f"{archive}: contains more than {number:,} files, too many for {size:,} bytes")
            if (name := name_of(member)) is None:
                continue
            if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
                raise DamagedFile(f"{archive}: contains {member}, which would be written outside its folder")
            target = folder / name
            if target.exists():
                raise DamagedFile(f"{archive}: contains two files called {name}")
            target.parent.mkdir(parents=True, exist_ok=True)
            with stream, target.open("wb") as out:
                while block := stream.read(BLOCK):
                    left -= len(block)
                    if left < 0:
                        raise DamagedFile(f"{archive}: unpacks to more than {MOST_EXPANSION} times its {size:,} bytes")
                    out.write(block)
            written += 1
    except UNREADABLE as error:
        if isinstance(error, OSError) and error.errno:
            raise  # a full disk, not a bad archive
        raise DamagedFile(f"{archive}: not a whole archive ({error})") from error
    if not written:
        raise DamagedFile(f"{archive}: contains none of the expected files")


def _members(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Yield (name, stream) of every plain file."""
    if archive.suffix == ".zip" or zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as packed:
            for entry in packed.infolist():
                if not entry.is_dir():
                    yield entry.filename, packed.open(entry)
    else:
        with tarfile.open(archive) as tape:
            for member in tape:
                if member.isfile() and (stream := tape.extractfile(member)) is not None:
                    yield member.name, stream


def add_links(archive: Path, folder: Path, name_of: Callable[[str], str | None]) -> None:
    """Write the hard links of a tar as copies of their files, after `unpack`, which leaves out links of every kind.

    Args:
        archive: tar (compressed or not) or zip.
        folder: where `unpack` wrote its files.
        name_of: as for `unpack`.

    Raises:
        DamagedFile: If a link is symbolic, or leads to no file that was unpacked before it, or if copies are more or larger
            than plausible.
    """
    size = archive.stat().st_size
    left = max(SMALL, MOST_EXPANSION * size) - sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    for number, (member, target) in enumerate(_links(archive)):
        name, origin = name_of(member), name_of(target) if target else None
        if name is None:
            continue
        if not target:
            raise DamagedFile(
                f"{archive}: {member} is a symbolic link; unpack it yourself, with a copy in place of the link, and name the"
                " folder as location of own_files"
            )
        inside = folder.resolve()
        place, source = ((inside / one).resolve() if one else inside for one in (name, origin))
        if not (place.is_relative_to(inside) and source.is_relative_to(inside) and source.is_file()):
            raise DamagedFile(f"{archive}: {member} is a link to {target}, which is no file that it contains before it")
        if place.exists():
            raise DamagedFile(f"{archive}: contains two files called {name}")
        left -= source.stat().st_size
        if left < 0 or number > FEW + size // MEMBER_BYTES:
            raise DamagedFile(f"{archive}: its links are too many for {size:,} bytes; refused as a bomb")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, place)


def _links(archive: Path) -> Iterator[tuple[str, str]]:
    """Yield (name, file that it leads to) of every hard link, and (name, "") of every symbolic link."""
    if archive.suffix == ".zip" or zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as packed:
            for entry in packed.infolist():
                if stat.S_ISLNK(entry.external_attr >> 16):
                    yield entry.filename, ""
    else:
        with tarfile.open(archive) as tape:
            for member in tape:
                if member.islnk() or member.issym():
                    yield member.name, member.linkname if member.islnk() else ""


def gunzipped(path: Path) -> bytes:
    """Return the bytes of a file, those of NAME.gz decompressed.

    DamagedFile if it is not whole.
    """
    data = read_bytes(path)
    try:
        return size_limits.gunzipped(data, LARGEST_GZIP) if path.suffix == ".gz" else data
    except ValueError as error:
        raise DamagedFile(f"{path}: not a whole gzip file ({error})") from error


def idx_files(
    archives: Sequence[Archive], source: str, folder: Path, *, local_folder: str | None, mirror: str | None
) -> None:
    """Write the gzipped idx files into `folder`, decompressed.

    A `local_folder` may also hold them decompressed, or compressed by another gzip: the source's sha256 is that of
    the content.
    """
    if local_folder is None:
        places = published(archives, source, local_folder=None, mirror=mirror)
    else:
        here = Path(local_folder).expanduser()
        candidates = {archive: _plain_or_packed(here, archive.name) for archive in archives}
        missing = [archive for archive, place in candidates.items() if place is None]
        if missing:
            raise FileNotFoundError(f"{source}: local_folder {here} lacks, packed or unpacked:\n{_listed(missing)}")
        places = [place for place in candidates.values() if place is not None]
    for archive, place in zip(archives, places, strict=True):
        (folder / archive.name.removesuffix(".gz")).write_bytes(gunzipped(place))


def has_idx_files(archives: Sequence[Archive], place: Path) -> bool:
    """Return whether a folder has all of the idx files, gzipped or not."""
    return all(_plain_or_packed(place, archive.name) is not None for archive in archives)


def _plain_or_packed(place: Path, name: str) -> Path | None:
    return next((path for path in (place / name.removesuffix(".gz"), place / name) if path.is_file()), None)

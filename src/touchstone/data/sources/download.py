"""A file or an archive that someone publishes at an address, such as a data set that touchstone does not know.

Origin: its `url` and `citation`. Licence: its `licence`.
"""

from __future__ import annotations

import shutil
import tarfile
import zipfile
from functools import partial
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from touchstone.contracts import Digest
from touchstone.data.ingest.downloads import Archive, WrongDigest, add_links, published, unpack
from touchstone.data.ingest.user_arrays import ARRAYS
from touchstone.data.ingest.user_folder import check_name


def download(
    folder: Path,
    *,
    url: str,
    sha256: Digest,
    licence: str,
    citation: str,
    mirror: str | None = None,
    local_folder: str | None = None,
) -> None:
    """Write the files of an archive (zip, or tar however compressed) into `folder`, or a file of another kind as it is.

    Hidden files are left out. A hard link becomes a copy of its file, and a symbolic link is refused. Nothing is run.

    Args:
        folder: where to write; its name is that of the source.
        url: http or https address of the file.
        sha256: of the file, as its publisher states it and `sha256sum` prints it.
        licence: under which the data may be used.
        citation: of whoever made the data.
        mirror: http address of a folder that serves the file by its name, if `url` does not send it.
        local_folder: contains the file, not unpacked. None: download it.

    Raises:
        FileNotFoundError: If the file is missing; the message says where to put it.
        WrongDigest: If `url` sends another file; the message names the setting.
        DamagedFile: If the file is truncated, altered or another version.
    """
    name = PurePosixPath(unquote(urlsplit(url).path)).name
    urls = (url, f"{mirror.rstrip('/')}/{name}") if mirror else (url,)
    try:
        (path,) = published([Archive(name, urls, sha256)], folder.name, local_folder=local_folder, mirror=None)
    except WrongDigest as error:
        setting = f"data.sources.{folder.name}.sha256"
        advice = (
            f"Compare {setting} in the study's file with the digest that the publisher states, and correct it there"
        )
        raise WrongDigest(f"{error}\n{advice} if it differs; otherwise this is not the publisher's file.") from error
    if path.suffix.lower() not in ARRAYS and (zipfile.is_zipfile(path) or tarfile.is_tarfile(path)):
        name_of = partial(_unless_hidden, path)
        unpack(path, folder, name_of)
        add_links(path, folder, name_of)
    else:
        shutil.copyfile(path, folder / name)


def _unless_hidden(archive: Path, member: str) -> str | None:
    """Return the name of a file of an archive; None of a hidden one, and of those that macOS adds.

    DamagedFile if it has control characters or is not UTF-8.
    """
    parts = [part for part in PurePosixPath(member).parts if part != "."]
    hidden = any((part.startswith(".") and part != "..") or part == "__MACOSX" for part in parts)
    if hidden:
        return None
    check_name(archive, member)
    return "/".join(parts)

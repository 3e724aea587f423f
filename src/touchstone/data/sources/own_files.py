"""Files of the user's own: a model, a folder of pictures, a file of arrays.

Origin: the user. Licence: the user's own.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from touchstone.data.ingest.user_folder import check_name, files_in


def own_files(folder: Path, *, location: str) -> None:
    """Copy the file or folder at `location` into `folder`, under the same names and without hidden files.

    Nothing is run. The source's sha256 is `digests.folder_digest` of the copied files. `touchstone assay` writes it into the
    study, and the step `fetch` refuses files that have changed since.

    Raises:
        FileNotFoundError: If there is nothing at `location`.
        DamagedFile: If a link in the folder leads out of it, or a name has control characters or is not UTF-8.
    """
    path = Path(location).expanduser()
    if path.is_file():
        check_name(path.parent, path.name)
        shutil.copyfile(path, folder / path.name)
        return
    if not path.is_dir():
        raise FileNotFoundError(f"own_files: location: no such file or folder: {path}")
    for file in files_in(path):
        place = folder / file.relative_to(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, place)

"""One file of weights from someone else, from a path or an address.

Origin: whoever trained them, such as the entries of RobustBench (Croce et al. 2021, robustbench.github.io). Licence:
theirs; each RobustBench entry states its own.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from touchstone.data.ingest import http_files

NAME = "weights.pt"


def checkpoint_file(folder: Path, *, location: str) -> None:
    """Copy or download `location`, a path or an http(s) address, to `folder`/weights.pt.

    Nothing in the file is run. The source's sha256 is that of the folder, and the step `fetch` refuses other files.
    For a file with the SHA-256 HEX, `printf '%s  weights.pt\\n' HEX | sha256sum` prints it.

    Raises:
        FileNotFoundError: If there is no such file, or if the address does not send a whole one.
    """
    target = folder / NAME
    if location.startswith(("http://", "https://")):
        try:
            http_files.download(location, target)
        except ConnectionError as error:
            advice = "Put the file somewhere and set location to its path"
            raise FileNotFoundError(f"checkpoint_file: {location}: {error}. {advice}") from error
        return
    path = Path(location).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"checkpoint_file: no file {path}")
    shutil.copyfile(path, target)

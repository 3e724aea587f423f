"""The studies that touchstone ships, for a folder outside a clone: a run copies what it needs, to be read and changed."""

from __future__ import annotations

import shutil
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from touchstone import plugins
from touchstone.extras import DISTRIBUTION
from touchstone.settings.files import read_yaml

PARAMS, STUDIES = Path("params.yaml"), Path("workflow/studies")


def workflow_folder() -> Path:
    """Return the folder of the Snakefile: that of the clone, or of the installed package.

    Raises:
        ValueError: the package was installed without it.
    """
    clone = plugins.PACKAGE.parents[1] / "workflow"
    if clone.is_dir():
        return clone
    try:
        installed = files(DISTRIBUTION) or []
    except PackageNotFoundError:
        installed = []
    for file in installed:
        if file.match("share/touchstone/workflow/Snakefile"):
            return Path(str(file.locate())).resolve().parent
    again = "pip install --force-reinstall --no-deps FILE.whl"
    raise ValueError(f"the workflow is not installed here; install the release's wheel again: {again}")


def copy_here(study: str) -> list[Path]:
    """Copy a shipped study and the defaults of all studies into this folder, if it is empty or has studies already.

    The study of an assay counts, too. Nothing is replaced.

    Args:
        study: as it was typed; only the name of a shipped study is copied.

    Returns:
        The files that are new here.
    """
    shipped = workflow_folder().parent
    name = STUDIES / f"{study}.yaml"
    has_studies = STUDIES.is_dir() or any(Path().glob("assay_*.yaml"))
    is_ours = has_studies or not any(path for path in Path().iterdir() if not path.name.startswith("."))
    if not is_ours or "/" in study or not (shipped / name).is_file():
        return []
    wanted = [PARAMS, name]
    if base := read_yaml(shipped / name).get("base"):
        wanted.append(STUDIES / f"{base}.yaml")
    new = [path for path in wanted if not path.exists()]
    for path in new:
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(shipped / path, path)
    return new

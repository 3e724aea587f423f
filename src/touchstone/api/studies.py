"""A study's settings in a notebook, from the project around the current folder or from the clone of touchstone."""

from __future__ import annotations

from pathlib import Path

from touchstone.settings import study as study_settings
from touchstone.settings.files import DEFAULT_STUDY, ParamsError
from touchstone.settings.study import Study

PARAMS = "params.yaml"
CLONE = Path(__file__).parents[3]  # the repository, if touchstone is installed from a clone


def load_study(study: str = DEFAULT_STUDY, folder: Path | str | None = None) -> Study:
    """Return a study's settings: checked, with every default filled in.

    Args:
        study: a name such as "digits", or the path of its file.
        folder: the project, which has a params.yaml. Default: the nearest folder with one, from the current folder
            upwards; outside a project the clone that touchstone was installed from, with the studies that it ships.

    Returns:
        The settings by section: `load_study("digits")["attacks"]["pgd"]["eps"]`. The study's plugin folders are used from
        then on, and no others.

    Raises:
        ParamsError: If there is no project or no such study (with the nearest name), or if its settings are wrong.

    Examples:
        >>> load_study("digits")["attacks"]["pgd"]["eps"]
        0.1
    """
    if folder is not None:
        return study_settings.load(study, Path(folder))
    here = Path.cwd()
    for project in (here, *here.parents, CLONE):
        if (project / PARAMS).is_file():
            return study_settings.load(study, project)
    raise ParamsError(
        f"{here}: no {PARAMS} here or in a folder above, so there is no study {study}; change to a clone of touchstone, or"
        " give its path as folder"
    )

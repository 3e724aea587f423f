"""The files that a study starts from: params.yaml, the overlays of other studies, and last its own overlay."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from touchstone.pipeline.settings.files import DEFAULT_STUDY, ParamsError, read_yaml, study_file
from touchstone.pipeline.settings.problems import Problems
from touchstone.pipeline.settings.values import shown

PARAMS, NONE = "params", "none"  # what `base:` may say instead of a study


class Source(NamedTuple):
    """What one file of a study says, without its `base:`."""

    content: dict[str, Any]
    file: Path


def read_sources(problems: Problems, root: Path) -> list[Source]:
    """Return the files of a study; later ones change earlier ones, and the study's own comes last.

    Args:
        problems: names the files and receives mistakes. Its `base` becomes the first file.
        root: the folder of the Snakefile.

    Raises:
        ParamsError: a file is not readable, or a `base:` leads nowhere or in a circle.
    """
    sources: list[Source] = []
    file = problems.overlay
    while file is not None:
        content = read_yaml(file)
        base = content.pop("base", PARAMS)
        sources.insert(0, Source(content, file))
        if base == NONE:
            problems.base = file
            return sources
        file = None if base == PARAMS else _overlay_of(base, sources, root, problems)
    return [Source(read_yaml(problems.base), problems.base), *sources]


def _overlay_of(base: Any, sources: list[Source], root: Path, problems: Problems) -> Path | None:
    """Return the overlay of the study that the first source starts from; None for the default study."""
    try:
        if not isinstance(base, str):
            raise ParamsError(f"got {shown(base)}")
        overlay = study_file(base, root)
    except ParamsError as error:
        problems.add(("base",), f"expected {PARAMS}, {NONE} or a study; {error}", sources[0].file)
        problems.stop()
        raise
    names = [source.file.stem for source in sources]
    if overlay is not None and overlay.resolve() in [source.file.resolve() for source in sources]:
        circle = " starts from ".join([*reversed(names), overlay.stem])
        problems.add(("base",), f"{circle}: a circle; let one of them start from {DEFAULT_STUDY}", sources[0].file)
        problems.stop()
    return overlay

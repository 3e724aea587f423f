"""Files of the user's own that no sha256 pins: they are inputs of `fetch`, so changed files are fetched again."""

from __future__ import annotations

from pathlib import Path

from touchstone.pipeline.settings.study import Study

COPYING = ("sources/own_files", "sources/checkpoint_file")  # components that copy what is at `location`


def locations(study: Study) -> dict[str, Path]:
    """Return {source: the file or folder that it copies} of the sources without a sha256."""
    return {
        name: Path(entry["location"]).expanduser()
        for name, entry in study["sources"].items()
        if entry["use"] in COPYING and entry["sha256"] is None
    }

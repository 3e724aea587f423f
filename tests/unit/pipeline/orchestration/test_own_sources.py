"""Pictures of the user's own that have changed are fetched again, if no sha256 pins them: a list of them is an input."""

import os
from pathlib import Path

import pytest

from sheet_study import STUDY
from touchstone.pipeline.orchestration import own_sources
from touchstone.settings.study import load

CHANGES = {
    "added": lambda folder: (folder / "dog/3.png").write_bytes(b"3"),
    "deleted": lambda folder: (folder / "dog/2.png").unlink(),
    "changed": lambda folder: (folder / "dog/2.png").write_bytes(b"4"),
    "changed to as many bytes": lambda folder: (folder / "dog/2.png").write_bytes(b"dog/2.pnG"),
    "renamed": lambda folder: (folder / "dog/2.png").rename(folder / "cat/2.png"),
}


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A function that returns a study of two pictures of the user's own."""
    monkeypatch.chdir(tmp_path)
    for name in ("cat/1.png", "dog/2.png"):
        Path("pets", name).parent.mkdir(parents=True)
        Path("pets", name).write_bytes(name.encode())
        os.utime(Path("pets", name), (1e9, 1e9))

    def loaded(sha256):
        Path("sheet.yaml").write_text(
            STUDY.replace(
                "  sources:\n", f"  sources:\n    mine: {{use: own_files, location: pets, sha256: {sha256}}}\n"
            )
            .replace("sets: {", "sets: {pets: {use: own_images, source: mine, height: 8, width: 8}, ")
            .replace("[tested, ", "[pets, tested, ")
        )
        return load("sheet.yaml")

    return loaded


def content(settings):
    """What the input of `fetch` holds."""
    return [Path(file).read_text() for file in own_sources.listed(settings["sources"], "mine")]


@pytest.mark.parametrize("change", CHANGES)
def test_changed_pictures_change_the_list_unless_they_are_pinned(study, change):
    pinned = f'"sha256:{"0" * 64}"'
    assert own_sources.listed(study(pinned)["sources"], "mine") == []
    settings = study("null")
    (before,) = content(settings)

    CHANGES[change](Path("pets"))

    assert content(settings) != [before]
    assert own_sources.listed(study(pinned)["sources"], "mine") == []


def test_a_list_that_would_say_the_same_is_not_written_again(study):
    (path,) = own_sources.listed(study("null")["sources"], "mine")
    os.utime(path, (1e9, 1e9))

    own_sources.listed(study("null")["sources"], "mine")

    assert Path(path).stat().st_mtime == 1e9


def test_pictures_that_are_gone_are_not_missed_once_they_were_listed(study):
    """Snakemake would delete the copy in data/raw before `fetch` finds nothing to copy."""
    before = content(study("null"))

    Path("pets").rename("elsewhere")

    assert content(study("null")) == before


def test_pictures_that_never_were_there_have_no_list(study):
    Path("pets").rename("elsewhere")

    assert own_sources.listed(study("null")["sources"], "mine") == []


def test_a_single_file_is_listed(study):
    settings = study("null")
    settings["sources"]["mine"] |= {"use": "sources/checkpoint_file", "location": "weights.bin"}
    Path("weights.bin").write_bytes(b"weights")
    before = content(settings)

    Path("weights.bin").write_bytes(b"others")

    assert len(before) == 1 and content(settings) != before

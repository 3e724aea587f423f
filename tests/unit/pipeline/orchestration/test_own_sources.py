"""Before a run: pictures of the user's own that have changed are fetched again, if no sha256 pins them."""

from pathlib import Path

import pytest

from sheet_study import STUDY
from touchstone.pipeline.orchestration import own_sources
from touchstone.pipeline.settings.study import load
from touchstone.sources.own_files import own_files

CHANGES = {
    "added": lambda folder: (folder / "dog/3.png").write_bytes(b"3"),
    "deleted": lambda folder: (folder / "dog/2.png").unlink(),
    "changed": lambda folder: (folder / "dog/2.png").write_bytes(b"4"),
}


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A function that returns a study of two pictures of the user's own, which were fetched."""
    monkeypatch.chdir(tmp_path)
    for name in ("cat/1.png", "dog/2.png"):
        Path("pets", name).parent.mkdir(parents=True)
        Path("pets", name).write_bytes(name.encode())
    Path("data/raw/mine").mkdir(parents=True)
    own_files(Path("data/raw/mine"), location="pets")
    Path("data/raw/mine/.snakemake_timestamp").touch()

    def loaded(sha256):
        Path("sheet.yaml").write_text(
            STUDY.replace("sources:\n", f"sources:\n  mine: {{use: own_files, location: pets, sha256: {sha256}}}\n")
            .replace("examples:\n", "examples:\n  pets: {use: own_images, source: mine, height: 8, width: 8}\n")
            .replace("[tested, ", "[pets, tested, ")
        )
        return load("sheet.yaml")

    return loaded


@pytest.mark.parametrize("change", CHANGES)
def test_changed_pictures_are_fetched_again_unless_they_are_pinned(study, capsys, change):
    assert own_sources.changed(study("null")) == []

    CHANGES[change](Path("pets"))

    assert own_sources.changed(study(f'"sha256:{"0" * 64}"')) == []
    assert own_sources.changed(study("null")) == ["data/raw/mine"]
    assert capsys.readouterr().err == "touchstone: sources.mine: pets has changed; fetching it again\n"


def test_pictures_that_are_gone_are_not_missed_once_they_were_fetched(study):
    Path("pets").rename("elsewhere")

    assert own_sources.changed(study("null")) == []


def test_a_single_file_may_have_another_name_in_the_source(study):
    settings = study("null")
    settings["sources"]["mine"] |= {"use": "sources/checkpoint_file", "location": "weights.bin"}
    Path("weights.bin").write_bytes(b"weights")
    for path in Path("data/raw/mine").glob("*/*.png"):
        path.unlink()
    Path("data/raw/mine/weights.pt").write_bytes(b"weights")

    assert own_sources.changed(settings) == []
    Path("weights.bin").write_bytes(b"others")
    assert own_sources.changed(settings) == ["data/raw/mine"]

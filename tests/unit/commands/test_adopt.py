"""`touchstone adopt` prepares the clean sets again from the raw files of the project, and adopts nothing without them."""

import argparse
from pathlib import Path

import pytest

from projects import write_study
from touchstone.commands import adopt
from touchstone.evidence import verification
from touchstone.evidence.problems import Problem, Result
from touchstone.evidence_files import archive
from touchstone.pipeline.planning.plan import Plan
from touchstone.pipeline.settings.study import load

ABOUT = {"study": "digits", "claims": [], "root": "", "touchstone": "", "verdict_code": "", "weights": True}
OPTIONS = argparse.Namespace(file="e", study=None, device="cpu", trust_code=False)


@pytest.fixture
def brought(tmp_path, monkeypatch):
    """The options that verify received, in a project of `digits` with forged evidence and all raw files."""
    write_study(tmp_path, "digits", "digits")
    monkeypatch.chdir(tmp_path)
    seen = []

    def forged(path, options, folder):
        seen.append(options)
        return Result(problems=[Problem("recomputation", "a set", "its labels are others")])

    monkeypatch.setattr(archive, "read_manifest", lambda path: archive.Evidence("study", ABOUT))
    monkeypatch.setattr(verification, "verify", forged)
    for folder in Plan(load("digits")).layout.raw_folders:
        Path(folder).mkdir(parents=True)
    return seen


def test_the_verifier_gets_the_raw_files_of_the_project(brought):
    assert adopt.main(OPTIONS) == 1

    assert brought[0].raw == {folder.name: folder.resolve() for folder in Path("data/raw").iterdir()}
    assert "sklearn_digits" in brought[0].raw


def test_without_the_raw_files_of_a_clean_set_nothing_is_verified_or_adopted(brought):
    Path("data/raw/sklearn_digits").rmdir()

    with pytest.raises(ValueError, match=r"cannot be prepared again:\ndata/raw/sklearn_digits: is not here; fetch it"):
        adopt.main(OPTIONS)

    assert brought == []

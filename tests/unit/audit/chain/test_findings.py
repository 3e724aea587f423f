"""Digests that an audit computes, in this process or in others."""

import hashlib
import re
import time
from functools import partial

import pytest

from job_files import write_job
from touchstone.audit.chain import findings
from touchstone.digests import folder_digest


@pytest.fixture
def artefacts(tmp_path):
    """A file and a folder, with their digests."""
    whole, folder = tmp_path / "whole", tmp_path / "folder"
    whole.write_bytes(b"some bytes")
    folder.mkdir()
    (folder / "part").write_bytes(b"a part")
    return {whole: "sha256:" + hashlib.sha256(b"some bytes").hexdigest(), folder: folder_digest(folder)}


@pytest.mark.parametrize("large", [0, findings.LARGE])
def test_digests_are_those_of_the_bytes_in_whichever_process(artefacts, monkeypatch, large):
    monkeypatch.setattr(findings, "LARGE", large)

    with findings.computed_digests(list(artefacts), quiet=True) as wait:
        assert wait() == artefacts


def touched(began, path):
    began.touch()
    return ""


def test_large_files_are_digested_while_the_block_runs(artefacts, monkeypatch, tmp_path):
    began = tmp_path / "began"
    monkeypatch.setattr(findings, "LARGE", 0)
    monkeypatch.setattr(findings.sidecar_files, "artefact_digest", partial(touched, began))

    with findings.computed_digests(list(artefacts), quiet=True):
        for _ in range(3000):  # nobody waits for the digests yet
            if began.exists():
                break
            time.sleep(0.01)
        assert began.exists()


def test_an_error_in_the_block_ends_the_other_processes(artefacts, monkeypatch):
    monkeypatch.setattr(findings, "LARGE", 0)

    with pytest.raises(KeyError), findings.computed_digests(list(artefacts) * 1000, quiet=True):
        raise KeyError


def test_where_no_progress_can_be_shown_nothing_is_printed(artefacts, capsys):
    findings.actual_digests(list(artefacts), quiet=False)

    assert capsys.readouterr() == ("", "")


def test_no_more_processes_compute_digests_than_there_are_cores_for_this_one(artefacts, monkeypatch):
    def pool(processes, context):
        counts.append(processes)
        return actual(processes, context)

    counts, actual = [], findings.ProcessPoolExecutor
    monkeypatch.setattr(findings, "LARGE", 0)
    monkeypatch.setattr(findings, "ProcessPoolExecutor", pool)
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0})
    with findings.computed_digests(list(artefacts), quiet=True) as wait:
        wait()

    assert counts == [1]


NAMED = "results/own/train/cnn.0/networks/cnn.0.safetensors"


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_job(tmp_path / "results/own/train/cnn.0", {"networks/cnn.0.safetensors": b"weights"}, step="train")
    write_job(
        tmp_path / "results/own/measure/cnn.0",
        {"outputs/cnn.0/a.safetensors": b"a", "outputs/cnn.0/b.safetensors": b"b"},
    )
    return tmp_path


@pytest.mark.parametrize(
    ("what", "files"),
    [
        (NAMED, [NAMED]),
        ("networks/cnn.0", [NAMED]),
        ("results/own/train/cnn.0", [NAMED]),
        ("results/own/train/cnn.0/", [NAMED]),
        ("results/own/train/cnn.0/sidecar.json", [NAMED]),
        ("results/own/measure/cnn.0", [f"results/own/measure/cnn.0/outputs/cnn.0/{name}.safetensors" for name in "ab"]),
        ("outputs/cnn.0/b", ["results/own/measure/cnn.0/outputs/cnn.0/b.safetensors"]),
    ],
)
def test_a_user_names_an_artefact_by_its_path_its_name_or_its_job(project, what, files):
    assert findings.is_artefact(what)
    assert findings.artefacts_named(what) == files


def test_a_missing_artefact_is_named_by_its_record(project):
    (project / NAMED).unlink()

    assert findings.artefacts_named(NAMED) == [NAMED]
    assert findings.artefacts_named("networks/cnn.0") == [NAMED]


@pytest.mark.parametrize(
    ("what", "words"),
    [
        (
            "networks/cnn.1",
            "networks/cnn.1: there is no such file, and no artefact of this name; touchstone trace STUDY",
        ),
        ("outputs/cnn.0", "there is no such file, and no artefact of this name"),
        ("../networks/cnn.0", "there is no such file, and no artefact of this name"),
        ("results/own", "results/own: no job made it, or its sidecar was deleted, so there is no record of it"),
        ("notes/a.txt", "notes/a.txt: no job made it, or its sidecar was deleted, so there is no record of it"),
    ],
)
def test_what_is_no_artefact_is_said(project, what, words):
    (project / "notes").mkdir()
    (project / "notes/a.txt").touch()

    with pytest.raises(ValueError, match="^" + re.escape(what)) as error:
        findings.artefacts_named(what)

    assert words in str(error.value)


@pytest.mark.parametrize("study", ["digits", "workflow/studies/digits.yaml", "own/study.yml"])
def test_a_study_is_no_artefact(study):
    assert not findings.is_artefact(study)

"""A finished study is recognised without planning it, until any file changes that the answer depends on."""

import os
import time

import pytest

from touchstone import plugins
from touchstone.pipeline.orchestration import freshness, stamps
from touchstone.pipeline.planning.plan import Plan
from touchstone.pipeline.settings.study import load

CHECKPOINT = "data/tiny/checkpoints/cnn.0.safetensors"
FILES = [
    "params.yaml",
    "Snakefile",
    "requirements.lock",
    "workflow/studies/tiny.yaml",
    "workflow/rules/results.smk",
    "profiles/default/config.yaml",
    CHECKPOINT,
    CHECKPOINT + ".prov.json",
    "data/raw/sklearn_digits/digits.csv",
    "data/raw/sklearn_digits.prov.json",
    "reports/tiny/report.html",
    ".snakemake/metadata/a_new_record",
    ".snakemake/incomplete/a_job_that_began",
    "data/tiny/a_new_file",
]


def now():
    """A time after all files so far and before all later ones: file systems round times down to some milliseconds."""
    time.sleep(0.02)
    before = time.time_ns()
    time.sleep(0.02)
    return before


def stamp(study="tiny"):
    plan = Plan(load(study))
    freshness.vouch(plan.study.name, freshness.workflow_digest())
    stamps.Stamp(plan, study, "2").write()


@pytest.fixture
def project(copied, monkeypatch):
    monkeypatch.chdir(copied.root)
    monkeypatch.setattr(stamps, "STARTED", now())
    return copied


@pytest.fixture
def stamped(project):
    stamp()
    return project


def test_an_unchanged_study_is_recognised_for_the_same_request_only(stamped):
    assert stamps.unchanged("tiny", "2") == "tiny"
    assert stamps.unchanged("tiny", "1") is None
    assert stamps.unchanged("digits", "2") is None
    assert stamps.unchanged("workflow/studies/tiny.yaml", "2") is None


@pytest.mark.parametrize("file", FILES)
def test_a_file_that_is_written_again_is_noticed_though_its_bytes_and_time_are_the_same(stamped, file):
    path = stamped.root / file
    if path.exists():
        before = path.stat()
        path.write_bytes(path.read_bytes())
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    else:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")

    assert stamps.unchanged("tiny", "2") is None


@pytest.mark.parametrize("file", [CHECKPOINT, "reports/tiny/ROOT", "workflow/studies/tiny.yaml"])
def test_a_file_that_is_gone_is_noticed(stamped, file):
    (stamped.root / file).unlink()

    assert stamps.unchanged("tiny", "2") is None


def test_a_profile_in_the_environment_and_another_snakemake_are_noticed(stamped, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setenv("SNAKEMAKE_PROFILE", "mine")
        assert stamps.unchanged("tiny", "2") is None
    monkeypatch.setattr(freshness, "version", lambda name: "0")
    assert stamps.unchanged("tiny", "2") is None


def test_another_copy_of_touchstone_plans_for_itself(stamped, monkeypatch):
    monkeypatch.setattr(plugins, "PACKAGE", plugins.PACKAGE.parent / "elsewhere")

    assert stamps.unchanged("tiny", "2") is None


def test_a_study_of_other_files_watches_them_and_of_a_plug_in_folder_only_what_is_searched(
    project, tmp_path, monkeypatch
):
    own, detector = tmp_path / "own", tmp_path / "own/detectors/mine.py"
    detector.parent.mkdir(parents=True)
    detector.write_text("")
    overlay = tmp_path / "mine.yaml"
    overlay.write_text(f"base: tiny\nplugins: [{own}]\n")
    watched = [overlay, detector, own / "helper.py"]
    other = own / "far/below/notes.py"
    monkeypatch.setattr(stamps, "STARTED", now())
    for path in watched:
        stamp(str(overlay))
        other.parent.mkdir(parents=True, exist_ok=True)
        other.write_text("")
        assert stamps.unchanged(str(overlay), "2") == "mine"

        path.write_bytes(path.read_bytes() if path.exists() else b"")

        assert stamps.unchanged(str(overlay), "2") is None
        monkeypatch.setattr(stamps, "STARTED", now())


@pytest.mark.parametrize("file", ["params.yaml", "workflow/studies/tiny.yaml"])
def test_what_was_changed_while_the_process_ran_is_not_vouched_for(project, file):
    os.utime(project.root / file)

    stamp()

    assert stamps.unchanged("tiny", "2") is None


def test_links_that_lead_nowhere_or_in_circles_do_no_harm(stamped):
    (stamped.root / "data/tiny/nowhere").symlink_to("nothing")
    (stamped.root / "data/tiny/circle").symlink_to(".")
    stamp()

    assert stamps.unchanged("tiny", "2") == "tiny"


def test_a_file_behind_a_linked_folder_is_noticed(project):
    folder, elsewhere = project.root / "data/tiny/checkpoints", project.root / "elsewhere"
    folder.rename(elsewhere)
    folder.symlink_to(elsewhere)
    stamp()
    assert stamps.unchanged("tiny", "2") == "tiny"

    (elsewhere / "cnn.0.safetensors").touch()

    assert stamps.unchanged("tiny", "2") is None


def test_a_link_to_itself_lets_the_study_be_planned(project):
    (project.root / "data/tiny/loop").symlink_to("loop")

    stamp()

    assert stamps.unchanged("tiny", "2") is None


@pytest.mark.parametrize("content", ["{", "{}", "[]", '{"name": "tiny", "threads": "x", "files": ""}'])
def test_a_damaged_stamp_is_none(stamped, content):
    for path in stamps.STAMPS.glob("*"):
        path.write_text(content)

    assert stamps.unchanged("tiny", "2") is None

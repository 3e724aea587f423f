"""What a pack of a study holds, and a study whose files change while it is written."""

import json
import re
import shutil
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest

from projects import ROOT, write_study
from touchstone.audit import study_evidence, verification
from touchstone.audit.problems import Result
from touchstone.audit.selection import Selection
from touchstone.pipeline.planning.plan import Plan
from touchstone.provenance import sidecar_files
from touchstone.settings.study import load


def test_an_older_file_stays_if_the_new_pack_is_discarded(tmp_path, monkeypatch):
    report = Path("reports/own/report.html")
    for name in (sidecar_files.sidecar_path(report), *(report.with_name(page) for page in study_evidence.PAGES)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}")
    plan = SimpleNamespace(study=SimpleNamespace(name="own", folders=()))
    task = SimpleNamespace(output=report.as_posix(), step="report", settings={})
    selection = SimpleNamespace(plan=plan, report=task, stated=(), tasks={}, claims=())
    times = count()
    monkeypatch.setattr(study_evidence, "_times", lambda files: dict.fromkeys(files, next(times)))
    monkeypatch.setattr(study_evidence, "settings_files", lambda *_: ())
    monkeypatch.setattr(study_evidence.chain, "reached", lambda place, files: {})
    monkeypatch.setattr(study_evidence.chain, "root_digest", lambda page: "sha256:0")
    target = tmp_path / "own.pack"
    target.write_bytes(b"older")

    with pytest.raises(ValueError, match="changed while the pack was written"):
        study_evidence.write(selection, "own", target, root=tmp_path)

    assert target.read_bytes() == b"older"
    assert [path.name for path in tmp_path.iterdir() if "pack" in path.name] == ["own.pack"]


OF_BASE = {"title": "Another", "papers": {"fgsm": "smoke"}}


@pytest.fixture
def project(tmp_path):
    """A project with a study `first`, beside which a test writes one with a base."""
    folder = tmp_path / "project"
    write_study(folder, "first")
    shutil.copy(ROOT / "params.yaml", folder)
    return folder


def written(project, base):
    """Write the study `own` with a base."""
    (project / "workflow/studies/own.yaml").write_text(json.dumps({"base": base, **OF_BASE}))


@pytest.mark.parametrize("base", ["first", "workflow/studies/first.yaml"])
def test_a_pack_holds_the_base_of_its_study(project, tmp_path, base):
    written(project, base)
    study, packed = load("own", project), tmp_path / "packed"
    for name, file in study_evidence.settings_files("own", study.folders, project):
        (packed / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, packed / name)

    assert load("own", packed).settings == study.settings


def test_a_base_outside_the_project_cannot_be_packed(project, tmp_path):
    (project / "workflow/studies/first.yaml").rename(tmp_path / "first.yaml")
    written(project, str(tmp_path / "first.yaml"))

    with pytest.raises(ValueError, match=r"first\.yaml: is outside the project, so a pack cannot hold it; move it"):
        list(study_evidence.settings_files("own", (), project))


@pytest.mark.parametrize("base", ["/home/other/first.yaml", "../first.yaml", "~/first.yaml"])
def test_a_pack_whose_base_is_outside_it_is_refused(project, base):
    """Verify would read a file of whoever verifies."""
    written(project, base)
    result = Result()

    about = {"study": "own", "claims": []}
    assert verification._selection(Path("own.pack"), about, project, result) is None
    assert [problem.message for problem in result.problems] == [f"base: {base} is outside the pack"]


def test_a_pack_of_a_claim_holds_what_the_gate_of_its_variants_reads():
    study = load("fashion_mnist_multiverse", ROOT)
    for claim, tried in study["variants"].items():
        selection = Selection(Plan(study), (claim,))
        read = {study["evaluations"][name]["use"].partition("/")[2] for name in selection.evaluations}
        assert read >= {gate["evaluation"] for gate in tried["gate"]}, claim


def test_a_study_whose_device_the_machine_chooses_is_not_packed(project, tmp_path):
    """On another machine it has other settings, and verify would accuse its honest author."""
    file = write_study(project, "own", compute={"device": "auto"})
    study = load("own", project)

    advice = (
        f"{re.escape(str(file))}: compute.device is auto, .*device: {study['study']['device']}; nothing is computed"
    )
    with pytest.raises(ValueError, match=advice):
        study_evidence.write(Selection(Plan(study)), "own", tmp_path / "own.pack", root=project)
    assert load("own", project).settings == load(str(write_study(project, "own")), project).settings


def test_a_study_that_names_its_device_is_packed_whatever_the_defaults_say(project):
    (project / "params.yaml").write_text("compute: {device: auto}\n")
    files = [write_study(project, "own", compute={"device": "cpu"}), project / "params.yaml"]

    study_evidence._check_device(load("own", project), files)
    with pytest.raises(ValueError, match=r"params\.yaml: compute.device is auto"):
        study_evidence._check_device(load("own", project), files[::-1])

"""What a verification says that it trusts, and of a pack whose settings cannot be planned here."""

from types import SimpleNamespace

import pytest

import touchstone
from touchstone.__main__ import main
from touchstone.audit import verdict_checks, verification
from touchstone.audit.problems import Result
from touchstone.audit.verification import Options
from touchstone.provenance import archive, sidecar_files


@pytest.mark.parametrize(
    ("use", "words"),
    [("effort", "only the attacks counted them"), ("training_length", "only the training measured them")],
)
def test_numbers_that_only_their_job_recorded_are_taken_on_trust(monkeypatch, use, words):
    monkeypatch.setattr(verdict_checks, "own_criteria", lambda selection: [])
    task = SimpleNamespace(step="evaluate", settings={"component": {"use": f"evaluations/{use}"}})
    study = {"evaluations": {use: {}}}
    selection = SimpleNamespace(
        tasks={"rows": task}, files=["rows"], evaluations=[use], plan=SimpleNamespace(study=study)
    )
    result = Result()

    verification._say_what_is_trusted(selection, {}, Options(), result)

    assert [sentence for sentence in result.trusted if words in sentence]


STUDY, REPORT = "workflow/studies/mine.yaml", "reports/mine/report.html.prov.json"
RECORD = sidecar_files.as_bytes({"artefact": "sha256:0", "step": "report", "settings": {}})


def packed(path, version, settings=b"papers: {fgsm: full}\n", **files):
    """Write a pack of a study that cannot be planned here."""
    about = {
        "study": "mine",
        "claims": [],
        "root": "",
        "touchstone": version,
        "verdict_code": "sha256:0",
        "weights": True,
    }
    named = {STUDY: settings} | files
    archive.write(path, "study", about, [(name, lambda data=data: data) for name, data in named.items()])
    return path


@pytest.mark.parametrize(
    ("version", "files", "writer"),
    [("0.9.0", {}, "touchstone '0.9.0'"), (touchstone.__version__, {REPORT: RECORD}, "other code of touchstone")],
)
def test_a_pack_of_other_code_that_cannot_be_planned_is_neither_forged_nor_verified(
    tmp_path, capsys, version, files, writer
):
    path = packed(tmp_path / "mine.pack", version, **files)

    assert main(["verify", str(path)]) == 1

    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"touchstone: {path}: cannot be checked: it says that {writer}")
    assert f"{STUDY}: title: must be given" in said.err and said.err.count("\n") == 1


@pytest.mark.parametrize(
    ("version", "settings"),
    [(touchstone.__version__, b"papers: {fgsm: full}\n"), ("0.9.0", b"plugins: [/tmp]\n")],
    ids=["this version", "another version that brings code"],
)
def test_settings_that_no_version_explains_are_a_finding(tmp_path, version, settings):
    result = verification.verify(packed(tmp_path / "mine.pack", version, settings), Options())

    assert [(problem.check, problem.file) for problem in result.problems] == [("settings", STUDY)]


def test_another_version_does_not_excuse_damage(tmp_path, monkeypatch):
    path = packed(tmp_path / "mine.pack", "0.9.0", **{"data/rows.csv": b"a,b\n"})
    monkeypatch.setitem(archive.PROBLEMS, ".csv", lambda data: "is damaged")

    assert verification.verify(path, Options()).problems[0].file == "data/rows.csv"

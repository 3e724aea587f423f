"""Which files an audit looks at, and what it says of damaged ones."""

from pathlib import Path

import pytest

from job_files import FACTS, link, write_job
from touchstone.audit.chain import audit
from touchstone.pipeline.planning.plan import Plan
from touchstone.provenance import sidecar_files
from touchstone.settings.study import load

ROOT = Path(__file__).parents[4]
TRAIN = "results/digits/train/cnn.0"
AGAIN = "delete the folder and run the study again"


@pytest.fixture(scope="module")
def plan():
    return Plan(load("digits", ROOT))


def found(plan, root):
    return [(finding.file, finding.problem) for finding in audit.audit(plan, root, quiet=True)]


def network(root, **facts):
    """Write the folder of a training; return its sidecar."""
    write_job(root / TRAIN, {"networks/cnn.0.safetensors": b"weights"}, step="train", **facts)
    return root / TRAIN / "sidecar.json"


@pytest.mark.parametrize(
    ("stray", "problem"),
    [
        ("results/digits/notes.txt", "was made by no job; delete it"),
        ("results/digits/train/notes.txt", "was made by no job; delete it"),
        (f"{TRAIN}/notes.txt", "was made by no job: its folder's sidecar does not list it; delete it"),
        (f"{TRAIN}/networks/a/b.txt", "was made by no job: its folder's sidecar does not list it; delete it"),
    ],
)
def test_a_file_that_no_job_made_is_named(plan, tmp_path, stray, problem):
    network(tmp_path)
    (tmp_path / stray).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / stray).write_bytes(b"who made this?")

    assert (stray, problem) in found(plan, tmp_path)


def test_a_clone_without_the_record_of_its_report_has_nothing_checked(plan, tmp_path):
    (tmp_path / "reports/digits").mkdir(parents=True)
    (tmp_path / "reports/digits/report.html").write_text("a page")

    (finding,) = audit.audit(plan, tmp_path, quiet=True)

    assert finding.unchecked and finding.file == "results/digits"
    assert "nor is report.html.prov.json: nothing was checked" in finding.problem and "`dvc pull`" in finding.problem


def test_files_behind_a_link_are_seen(plan, tmp_path):
    """Large folders often lie on another disk."""
    disk = tmp_path / "disk"
    (disk / "deep").mkdir(parents=True)
    (disk / "deep/cnn.0.safetensors").write_bytes(b"who made this?")
    (disk / "again").symlink_to(disk)  # without an end
    network(tmp_path)
    (tmp_path / TRAIN / "more").symlink_to(disk)

    strays = [file for file, problem in found(plan, tmp_path) if problem.startswith("was made by no job")]

    assert strays == [f"{TRAIN}/more/deep/cnn.0.safetensors"]


def test_marks_of_snakemake_are_no_strays(plan, tmp_path):
    network(tmp_path)
    (tmp_path / TRAIN / ".snakemake_timestamp").touch()

    assert not any("no job" in problem for _, problem in found(plan, tmp_path))


@pytest.mark.parametrize("file", ["attack/cnn.0/attacked/digits_test/cnn.0/old", "detect/old.0/scores/old.0/msp/x"])
def test_a_file_that_the_study_no_longer_makes_is_named_with_what_to_do(plan, tmp_path, file):
    rule, job, name = f"{file}.safetensors".split("/", 2)
    write_job(tmp_path / "results/digits" / rule / job, {name: b"old"})

    assert (f"results/digits/{rule}/{job}/{name}", f"is not part of the study; {AGAIN}") in found(plan, tmp_path)


def test_a_deleted_sidecar_is_one_sentence(plan, tmp_path):
    network(tmp_path).unlink()
    (tmp_path / TRAIN / "networks/more").write_bytes(b"")
    write_job(tmp_path / "results/digits/train/mlp.0", {"networks/mlp.0.safetensors": b"weights"}, step="train")

    about = [finding for finding in found(plan, tmp_path) if finding[0].startswith(TRAIN)]

    problem = f"is missing, so 2 files beside it cannot be checked; {AGAIN}"
    assert about == [(f"{TRAIN}/sidecar.json", problem)]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (b"", "invalid JSON: "),
        (b"\xff\xfe", "invalid JSON: "),
        (b"no JSON", "invalid JSON: "),
        (b"[" * 100_000, "invalid JSON: "),
        (b"[]", "not a sidecar: expected a JSON object"),
        (b"{}", "not a sidecar: it has no digest of the artefact"),
        (b'{"members": 3, "code": {}, "records": ""}\n', "its sidecar was edited: no job writes this form"),
        (b'{"code":{},"members":3,"records":""}\n', "its sidecar was edited: the digest of its records does not match"),
        (b'{"code":{},"members":{"a":[]},"records":""}\n', "its sidecar was edited: the digest of its records"),
    ],
)
def test_a_damaged_sidecar_is_one_sentence(plan, tmp_path, damage, words):
    network(tmp_path).write_bytes(damage)

    ((file, problem),) = [finding for finding in found(plan, tmp_path) if finding[0].startswith(TRAIN)]

    assert file == f"{TRAIN}/sidecar.json"
    assert problem.startswith(words) and problem.endswith(AGAIN)


def test_a_record_of_the_wrong_form_is_named_with_its_artefact(plan, tmp_path):
    network(tmp_path, inputs={"train": [{"file": 3}]})

    file = f"{TRAIN}/networks/cnn.0.safetensors"
    assert (file, f"its record is damaged: its links to train are malformed; {AGAIN}") in found(plan, tmp_path)


def test_a_missing_artefact_is_named_once(plan, tmp_path):
    network(tmp_path)
    file = f"{TRAIN}/networks/cnn.0.safetensors"
    made = {"inputs": {"checkpoint": [link(tmp_path, file)]}, "step": "infer"}
    write_job(tmp_path / "results/digits/measure/mlp.0", {"outputs/x.safetensors": b"outputs"}, **made)
    (tmp_path / file).unlink()

    assert [problem for name, problem in found(plan, tmp_path) if name == file and "is missing" in problem] == [
        f"is missing, but its sidecar exists; {AGAIN}"
    ]


def test_an_artefact_is_audited_by_its_path_its_name_or_its_job(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    network(tmp_path)
    for what in (f"{TRAIN}/networks/cnn.0.safetensors", "networks/cnn.0", TRAIN):
        assert audit.audit_file(what, quiet=True) == []

    (tmp_path / TRAIN / "networks/cnn.0.safetensors").write_bytes(b"others")
    for what in (f"{TRAIN}/networks/cnn.0.safetensors", "networks/cnn.0", TRAIN):
        (finding,) = audit.audit_file(what, quiet=True)
        assert finding.problem.startswith("its bytes have digest ")


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({"step": "report"}, "cannot be checked: settings is missing or malformed"),
        ({**FACTS, "pages": ["report.html"]}, "cannot be checked: pages is missing or malformed"),
        (FACTS, "cannot be checked: pages is missing or malformed"),
    ],
)
def test_a_damaged_record_of_the_report_is_a_finding(plan, tmp_path, record, words):
    network(tmp_path)
    page = tmp_path / plan.layout.page
    page.parent.mkdir(parents=True)
    page.write_bytes(b"page")
    sidecar_files.write_sidecar(page, sidecar_files.artefact_digest(page), record)

    assert (plan.layout.page, words) in found(plan, tmp_path)

import json
import os

import pytest

from touchstone.pipeline.orchestration.recovery import HALF_WRITTEN
from touchstone.provenance import job_folders, sidecar_files, whole_files

DIGEST = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
CODE = {"code": "sha256:1", "definitions": {"attacks.pgd.pgd": "sha256:3"}, "packages": {"torch": "2"}}
RECORDS = {name: {"artefact": DIGEST, "step": "attack", **CODE} for name in ("a.csv", "b/x.csv")}


@pytest.fixture
def job(tmp_path):
    """The folder of a job."""
    return tmp_path / "results/made/train/cnn.0"


def test_a_file_is_whole_or_absent(tmp_path):
    target = tmp_path / "deep" / "file"

    whole_files.write_whole(target, b"whole")
    with pytest.raises(TypeError):
        whole_files.write_whole(target, "not bytes")  # type: ignore[arg-type]

    assert target.read_bytes() == b"whole"
    assert [path.name for path in target.parent.iterdir()] == ["file"]


def test_a_sidecar_names_the_digest_of_its_artefact(tmp_path):
    target = tmp_path / "x.safetensors"

    sidecar_files.write_sidecar(target, DIGEST, {"step": "attack"})

    assert sidecar_files.read_sidecar(target) == {"artefact": DIGEST, "step": "attack"}


def test_the_sidecar_of_a_job_has_a_record_of_each_artefact_and_says_what_they_share_once(job):
    sidecar_files.write_job_sidecar(job, RECORDS)

    assert sidecar_files.read_folder(job) == RECORDS
    assert sidecar_files.read_sidecar(job / "b/x.csv") == RECORDS["b/x.csv"]
    assert (job / job_folders.SIDECAR).read_text().count("attacks.pgd.pgd") == 1
    assert sidecar_files.folder_problem(job) == ""


def test_an_artefact_without_a_record_is_named(job):
    sidecar_files.write_job_sidecar(job, RECORDS)

    with pytest.raises(ValueError, match=r"train/cnn\.0/sidecar\.json: has no record of c\.csv"):
        sidecar_files.read_sidecar(job / "c.csv")
    assert not sidecar_files.exists(job / "c.csv")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "\xff", '{"members": 3}', '{"artefact": NaN}', "[" * 5000])
def test_a_broken_sidecar_of_a_job_is_named(job, text):
    job.mkdir(parents=True)
    (job / job_folders.SIDECAR).write_text(text, encoding="latin-1")

    with pytest.raises(ValueError, match=r"train/cnn\.0/sidecar\.json"):
        sidecar_files.read_sidecar(job / "b/x.csv")
    with pytest.raises(ValueError, match=r"train/cnn\.0/sidecar\.json"):
        sidecar_files.read_folder(job)


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        (lambda content: content | {"more": 1}, "no job writes this form"),
        (lambda content: content | {"members": {}}, "the digest of its records does not match them"),
        (lambda content: signed(content, code=content["code"] | {"sha256:2": {}}), "do not match its records"),
    ],
)
def test_an_edited_sidecar_of_a_job_is_noticed(job, edit, problem):
    sidecar_files.write_job_sidecar(job, RECORDS)
    path = job / job_folders.SIDECAR
    path.write_bytes(sidecar_files.as_bytes(edit(json.loads(path.read_bytes()))))

    assert problem in sidecar_files.folder_problem(job)


def signed(content, **changes):
    """The content of a sidecar with changes that its digest covers."""
    changed = content | changes
    return changed | {"records": sidecar_files.digest_of_records(changed["members"], changed["code"])}


@pytest.mark.parametrize("text", ["", "{", "[]", "{}"])
def test_a_broken_sidecar_is_named(tmp_path, text):
    (tmp_path / "x.prov.json").write_text(text)

    with pytest.raises(ValueError, match=r"x\.prov\.json"):
        sidecar_files.read_sidecar(tmp_path / "x")


def test_a_file_that_breaks_off_leaves_nothing_behind(tmp_path):
    with pytest.raises(ValueError, match="no more"), whole_files.replaced(tmp_path / "a") as temporary:
        temporary.write_bytes(b"abc")
        raise ValueError("no more")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mask", [0o002, 0o022, 0o027, 0o077])
def test_a_file_has_the_mode_that_the_umask_leaves(tmp_path, mask):
    before = os.umask(mask)
    try:
        sidecar_files.write_sidecar(tmp_path / "a", DIGEST, {})
        whole_files.write_whole(tmp_path / "b", b"x", lasting=False)
    finally:
        os.umask(before)

    assert {oct(path.stat().st_mode & 0o777) for path in tmp_path.iterdir()} == {oct(0o666 & ~mask)}


def test_what_is_half_written_is_known_as_such(tmp_path, monkeypatch):
    with whole_files.replaced(tmp_path / "a.csv") as temporary:
        temporary.write_bytes(b"x")
        seen = [path.name for path in tmp_path.iterdir()]

    assert len(seen) == 1 and HALF_WRITTEN.fullmatch(seen[0])
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]

"""Artefacts are found by the names that tables of numbers have."""

import pytest

from job_files import write_job
from touchstone.digests import folder_digest
from touchstone.provenance import artefact_paths, sidecar_files

SCORES = "scores/cnn.0+msp@0.05/msp/digits_test/cnn.0/fgsm"


@pytest.fixture
def root(tmp_path):
    write_job(
        tmp_path / "results/own/detect/cnn.0", {f"{SCORES}.safetensors": b"1", "detectors/cnn.0/msp.safetensors": b"2"}
    )
    write_job(tmp_path / "results/own/evaluate/fgsm", {"metrics/robustness.csv": b"3"})
    write_job(tmp_path / "results/other/train/cnn.0", {"networks/cnn.0.safetensors": b"4"})
    write_job(tmp_path / "results/own/train/cnn.0", {"networks/cnn.0.safetensors": b"5"})
    return tmp_path


@pytest.mark.parametrize(
    ("study", "name", "file"),
    [
        ("own", SCORES, f"results/own/detect/cnn.0/{SCORES}.safetensors"),
        ("*", SCORES, f"results/own/detect/cnn.0/{SCORES}.safetensors"),
        ("own", "metrics/robustness", "results/own/evaluate/fgsm/metrics/robustness.csv"),
        ("own", "networks/cnn.0", "results/own/train/cnn.0/networks/cnn.0.safetensors"),
        ("other", "networks/cnn.0", "results/other/train/cnn.0/networks/cnn.0.safetensors"),
    ],
)
def test_an_artefact_is_found_by_its_name(root, study, name, file):
    assert artefact_paths.find_artefact(root, study, name) == file


def test_several_are_found_in_their_order(root):
    names = ["networks/cnn.0", SCORES, "metrics/robustness", "detectors/cnn.0/msp"]

    found = artefact_paths.find_artefacts(root, "own", names)

    assert [file.split("/", 4)[-1].rpartition(".")[0] for file in found] == names


def test_raw_files_are_found(root):
    (folder := root / "data/raw/digits").mkdir(parents=True)
    sidecar_files.write_sidecar(folder, folder_digest(folder), {"step": "fetch"})

    assert artefact_paths.find_artefact(root, "own", "raw/digits") == "data/raw/digits"


@pytest.mark.parametrize(
    "name", ["networks/cnn.1", "networks/cnn", "networks/cnn.0.safetensors", "raw/digits", "", "raw/"]
)
def test_a_name_that_nothing_has_is_said(root, name):
    with pytest.raises(artefact_paths.Absent, match="no artefact in results/own has this name"):
        artefact_paths.find_artefact(root, "own", name)


def test_a_name_of_two_artefacts_is_refused_with_both(root):
    both = "results/other/train/cnn.0/networks/cnn.0.safetensors, results/own/train/cnn.0/networks/cnn.0.safetensors"

    with pytest.raises(ValueError, match=f"several artefacts have this name: {both}; name one by its path"):
        artefact_paths.find_artefact(root, "*", "networks/cnn.0")


def test_a_damaged_sidecar_is_named_only_if_it_may_have_the_artefact(root):
    (root / "results/own/train/cnn.0/sidecar.json").write_text("garbage")

    assert artefact_paths.find_artefact(root, "own", SCORES)
    with pytest.raises(sidecar_files.DamagedSidecar, match=r"own/train/cnn\.0/sidecar\.json: invalid JSON"):
        artefact_paths.find_artefact(root, "own", "networks/cnn.0")


def test_the_artefacts_of_a_job_are_those_in_its_sidecar(root):
    folder = root / "results/own/detect/cnn.0"

    assert artefact_paths.members(folder) == [
        folder / "detectors/cnn.0/msp.safetensors",
        folder / f"{SCORES}.safetensors",
    ]
    assert artefact_paths.members(root) == []
    assert artefact_paths.members(folder / f"{SCORES}.safetensors") == []

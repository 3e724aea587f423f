"""Paths of artefacts."""

from pathlib import Path

import pytest

from touchstone.provenance.job_folders import folder_of, job_of, name_of, split

SCORES = "results/digits/detect/cnn.0/scores/cnn.0/msp/digits_test.safetensors"


@pytest.mark.parametrize(
    ("path", "job", "name"),
    [
        (SCORES, ("detect", "cnn.0"), "scores/cnn.0/msp/digits_test"),
        ("results/digits/evaluate/fgsm/metrics/robustness.csv", ("evaluate", "fgsm"), "metrics/robustness"),
        ("data/raw/skimage_faces", ("fetch", "skimage_faces"), "raw/skimage_faces"),
        ("reports/digits/report.html", ("report", "digits"), "reports/digits/report.html"),
    ],
)
def test_a_path_names_the_job_and_the_artefact(path, job, name):
    assert job_of(path) == job
    assert name_of(path) == name


def test_a_path_is_split_into_the_folder_of_the_job_and_the_rest_wherever_the_project_lies():
    assert split(SCORES) == (Path("results/digits/detect/cnn.0"), "scores/cnn.0/msp/digits_test.safetensors")
    folder, _ = split("/home/me/results/old/train/x/" + SCORES)
    assert folder == Path("/home/me/results/old/train/x/results/digits/detect/cnn.0")
    assert split("data/raw/skimage_faces") is None


def test_the_folder_of_a_job():
    assert folder_of("digits", "detect/cnn.0") == "results/digits/detect/cnn.0"
    assert folder_of("digits", "fetch/skimage_faces") == "data/raw/skimage_faces"

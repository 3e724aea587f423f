"""`touchstone show` prints what an artefact holds, by its path or its name, and what a job made."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from job_files import write_job
from touchstone.__main__ import main
from touchstone.provenance import code, sidecar_files
from touchstone.report.claim_files import COLUMNS

JOB = "results/digits/detect/cnn.0"
SCORES = f"{JOB}/scores/cnn.0/knn/set_2.safetensors"
INPUT = "results/digits/measure/cnn.0/outputs/cnn.0/digits_test.safetensors"


@pytest.fixture
def job(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = {
        f"scores/cnn.0/knn/set_{number}.safetensors": save({"scores": np.zeros(number + 1)}) for number in range(3)
    }
    write_job(
        tmp_path / JOB, files, inputs={"outputs": [{"file": INPUT, "artefact": "sha256:o", "sidecar": "sha256:s"}]}
    )


def test_the_artefacts_of_a_job_are_listed_by_their_names(job, capsys):
    assert main(["show", JOB]) == 0

    assert capsys.readouterr().out.split() == [f"scores/cnn.0/knn/set_{number}" for number in range(3)]


@pytest.mark.parametrize("what", [SCORES, "scores/cnn.0/knn/set_2"])
def test_an_artefact_is_shown_with_step_inputs_and_arrays(job, capsys, what):
    assert main(["show", what]) == 0

    first, *lines = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{SCORES}  sha256:")
    assert lines == ["step: score", f"from: {INPUT}", "array: scores F64 [3]"]


def test_a_table_is_shown_without_arrays(job, capsys):
    write_job(Path("results/digits/evaluate/fgsm"), {"metrics/robustness.csv": b"a,b"}, step="evaluate")

    assert main(["show", "metrics/robustness"]) == 0
    assert capsys.readouterr().out.endswith("step: evaluate\n")


@pytest.mark.parametrize("what", ["scores/cnn.0/knn/set_9", f"{JOB}/none.csv", "results/digits/none.csv"])
def test_what_is_not_there_is_said(job, capsys, what):
    assert main(["show", what]) == 1

    said = capsys.readouterr().err
    assert what in said or "none.csv" in said
    assert "there is no such file" in said or "has no record of none.csv" in said


def test_a_missing_artefact_is_said(job, capsys):
    Path(SCORES).unlink()

    assert main(["show", SCORES]) == 1
    assert f"{SCORES}: is missing; run the study again" in capsys.readouterr().err


@pytest.mark.parametrize("what", [SCORES, "scores/cnn.0/knn/set_2"])
def test_altered_bytes_are_not_shown_as_those_of_the_sidecar(job, capsys, what):
    data = bytearray(Path(SCORES).read_bytes())
    data[-1] ^= 1
    Path(SCORES).write_bytes(bytes(data))

    assert main(["show", what]) == 1

    said = capsys.readouterr()
    assert said.out == ""
    assert f"{SCORES}: ALTERED: " in said.err and f"delete {JOB} and run the study again" in said.err


@pytest.mark.parametrize("is_older", [False, True])
def test_results_of_another_version_are_said_to_be(tmp_path, monkeypatch, capsys, is_older):
    monkeypatch.chdir(tmp_path)
    folder = Path("reports/mine")
    folder.mkdir(parents=True)
    (folder / "claims.csv").write_text(",".join(COLUMNS) + "\n")
    (folder / "report.html").touch()
    version = code.code_from((("touchstone", "__version__"),)).definitions["__version__"]
    record = {"step": "report", "settings": {"papers": {}}, "inputs": {}, "code": "", "packages": {}}
    definitions = {"__version__": "0" if is_older else version}
    sidecar_files.write_sidecar(folder / "report.html", "sha256:0", record | {"definitions": definitions})

    assert main(["show", "mine"]) == 0

    note = "touchstone: another version made these results; touchstone run mine renews them\n"
    assert capsys.readouterr().err == note * is_older

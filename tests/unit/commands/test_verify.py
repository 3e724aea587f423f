"""`touchstone verify`: how --model is read, and an option that evidence of `evaluate` does not use."""

import errno
from pathlib import Path

import pytest
import torch

from touchstone.__main__ import main
from touchstone.audit import evaluation_checks, verification
from touchstone.audit.problems import BYTES, Result
from touchstone.commands import verify
from touchstone.commands._shared_arguments import RAW, raw_folders
from touchstone.pipeline.jobs.job_plan import JobError
from touchstone.provenance import archive


@pytest.mark.parametrize(
    ("text", "network"),
    [("eps=0.1.pt", ("", "eps=0.1.pt")), ("cnn=cnn.pt", ("cnn", "cnn.pt")), ("cnn=eps=0.1.pt", ("cnn", "eps=0.1.pt"))],
)
def test_a_file_whose_name_has_an_equals_sign_is_one_file(tmp_path, monkeypatch, text, network):
    monkeypatch.chdir(tmp_path)
    for name in ("eps=0.1.pt", "cnn.pt"):
        Path(name).touch()

    assert verify._networks([text]) == [(network[0], Path(network[1]))]


@pytest.mark.parametrize("words", [["--raw", RAW], ["--all"]])
def test_the_evidence_of_an_evaluation_refuses_what_is_for_studies(tmp_path, capsys, words):
    path = tmp_path / "e"
    archive.write(path, evaluation_checks.KIND, {}, [])

    assert main(["verify", str(path), *words]) == 1
    assert "--root, --study, --raw, --share and --all are for a study's pack" in capsys.readouterr().err


@pytest.mark.parametrize(("words", "share"), [([], None), (["--share", "0.1"], 0.1), (["--all"], 1.0)])
def test_all_computes_every_row_again(tmp_path, monkeypatch, words, share):
    path, asked = tmp_path / "e", []
    archive.write(path, "study", {}, [])
    monkeypatch.setattr(verification, "verify", lambda path, brought: asked.append(brought.share) or Result())

    assert main(["verify", str(path), *words]) == 0
    assert asked == [share]


@pytest.mark.parametrize("folder", ["nowhere", "sklearn_digits"])
def test_a_folder_without_raw_files_is_refused(tmp_path, folder):
    (tmp_path / "sklearn_digits").mkdir()
    (tmp_path / "sklearn_digits/digits.csv").touch()

    with pytest.raises(ValueError, match=f"--raw .*{folder}: expected a folder with one folder of raw files"):
        raw_folders(str(tmp_path / folder))
    assert raw_folders(str(tmp_path)) == {"sklearn_digits": tmp_path / "sklearn_digits"}


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_cuda_is_refused_and_nobody_accused(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    archive.write(Path("e"), evaluation_checks.KIND, {}, [])

    assert main(["verify", "e", "--device", "cuda"]) == 1
    assert "--device cuda: there is no GPU here that torch can use" in capsys.readouterr().err


@pytest.mark.parametrize(
    "error",
    [MemoryError(), OSError(errno.EMFILE, "Too many open files"), JobError("a")],
    ids=["memory", "files", "what was read"],
)
def test_what_this_machine_lacks_is_no_forgery(error):
    result = Result()

    with result.reading(BYTES, "a.csv", "cannot be read"):
        raise error

    assert (len(result.unchecked), len(result.problems)) == ((0, 1) if isinstance(error, JobError) else (1, 0))

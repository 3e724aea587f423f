"""`touchstone verify`: how --model is read, and an option that evidence of `evaluate` does not use."""

from pathlib import Path

import pytest

from touchstone.__main__ import main
from touchstone.commands import verify
from touchstone.evidence import evaluation_checks
from touchstone.evidence_files import archive


@pytest.mark.parametrize(
    ("text", "network"),
    [("eps=0.1.pt", ("", "eps=0.1.pt")), ("cnn=cnn.pt", ("cnn", "cnn.pt")), ("cnn=eps=0.1.pt", ("cnn", "eps=0.1.pt"))],
)
def test_a_file_whose_name_has_an_equals_sign_is_one_file(tmp_path, monkeypatch, text, network):
    monkeypatch.chdir(tmp_path)
    for name in ("eps=0.1.pt", "cnn.pt"):
        Path(name).touch()

    assert verify._networks([text]) == [(network[0], Path(network[1]))]


def test_the_evidence_of_an_evaluation_refuses_raw(tmp_path, capsys):
    path = tmp_path / "e"
    archive.write(path, evaluation_checks.KIND, {}, [])

    assert main(["verify", str(path), "--raw", verify.RAW]) == 1
    assert "--root, --study, --raw and --share are for evidence of a study" in capsys.readouterr().err

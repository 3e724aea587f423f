"""`touchstone show` prints what an artefact holds, a member of a bundle too."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save
from touchstone.pipeline.jobs.outputs import Outputs

from touchstone.__main__ import main

BUNDLE = "data/digits/scores/cnn.0/all/test.zip"
FACTS = {
    "step": "score", "settings": {}, "code": "sha256:c", "definitions": {}, "packages": {},
    "inputs": {"outputs": [{"file": "data/digits/outputs/cnn.0/test.zip#digits_test", "artefact": "sha256:o"}]},
}  # fmt: skip


@pytest.fixture
def bundle(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with Outputs() as outputs:
        for number in range(7):
            outputs.write(f"{BUNDLE}#knn/set_{number}", save({"scores": np.zeros(number + 1)}), FACTS)


def test_the_members_of_a_bundle_are_listed(bundle, capsys):
    assert main(["show", BUNDLE]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{BUNDLE}#knn/set_0"
    assert lines[-1] == "and 2 more members (--all lists them)"
    main(["show", BUNDLE, "--all"])
    assert len(capsys.readouterr().out.splitlines()) == 7


def test_a_member_is_shown_with_step_inputs_and_arrays_and_written_out(bundle, capsys, tmp_path):
    assert main(["show", f"{BUNDLE}#knn/set_2"]) == 0

    said = capsys.readouterr().out
    assert "step: score" in said
    assert "from: data/digits/outputs/cnn.0/test.zip#digits_test" in said
    assert "array: scores F64 [3]" in said
    assert main(["show", f"{BUNDLE}#knn/set_2", "--out", "set_2.safetensors"]) == 0
    assert (tmp_path / "set_2.safetensors").read_bytes() == save({"scores": np.zeros(3)})


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ([f"{BUNDLE}#knn/set_9"], "Did you mean knn/set_"),
        (["data/digits/none.csv"], "no such file"),
        ([BUNDLE, "--out", "x"], "holds 7 artefacts; name one of them"),
    ],
)
def test_what_is_not_there_is_said(bundle, capsys, typed, said):
    assert main(["show", *typed]) == 1

    assert said in capsys.readouterr().err


@pytest.mark.parametrize("typed", [[f"{BUNDLE}#knn/set_2"], [BUNDLE], [f"{BUNDLE}#knn/set_2", "--out", "x"]])
def test_altered_bytes_are_not_shown_as_those_of_the_sidecar(bundle, capsys, typed):
    path = Path(BUNDLE)
    data = bytearray(path.read_bytes())
    place = data.index(save({"scores": np.zeros(3)}))
    data[place + 20] ^= 1
    path.write_bytes(bytes(data))

    assert main(["show", *typed]) == 1

    said = capsys.readouterr()
    assert said.out == "" and not Path("x").exists()
    assert "ALTERED" in said.err

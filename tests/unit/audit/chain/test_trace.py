"""A trace over a damaged sidecar names the file, what is wrong with it and what to do."""

import json
import shutil
from pathlib import Path

import pytest

from job_files import link, write_job
from touchstone.__main__ import main
from touchstone.provenance import chain, sidecar_files

ARTEFACT = "data/raw/x"
JOB = "results/s/prepare/s"
REMEDY = "Restore the sidecar from a copy, or delete the folder of its job and run the study again."
LINK = {"file": 3}


@pytest.fixture
def sidecar(tmp_path, monkeypatch):
    """Write sound raw files and a set that was made from them; return the path of the sidecar of the raw files."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / ARTEFACT
    path.mkdir(parents=True)
    (path / "a").write_bytes(b"abc")
    sidecar_files.write_sidecar(path, sidecar_files.artefact_digest(path), {"step": "fetch", "inputs": {}})
    write_job(tmp_path / JOB, {"examples/y.safetensors": b"y"}, inputs={"folder": [link(tmp_path, ARTEFACT)]})
    return sidecar_files.sidecar_path(path)


def changed(sidecar, **facts):
    return json.dumps(json.loads(sidecar.read_text()) | facts)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda sidecar: sidecar.read_text()[:40], "invalid JSON: "),
        (lambda sidecar: "no JSON", "invalid JSON: "),
        (lambda sidecar: "[" * 100_000, "invalid JSON: "),
        (lambda sidecar: changed(sidecar, settings=float("nan")), "invalid JSON: NaN is not a JSON number"),
        (lambda sidecar: "[]", "not a sidecar: expected a JSON object"),
        (lambda sidecar: "{}", "not a sidecar: it has no digest of the artefact"),
        (lambda sidecar: changed(sidecar, step=None), "not a sidecar: its step is missing or malformed"),
        (lambda sidecar: changed(sidecar, inputs=[]), "not a sidecar: its inputs are missing or malformed"),
        (lambda sidecar: changed(sidecar, inputs={"of": [LINK]}), "not a sidecar: its inputs are missing or malformed"),
    ],
)
def test_a_damaged_sidecar_is_named_with_what_to_do(sidecar, capsys, damage, words):
    sidecar.write_text(damage(sidecar))

    code = main(["trace", ARTEFACT])

    message = capsys.readouterr().err
    assert code == 1
    assert message.startswith(f"touchstone: {ARTEFACT}.prov.json: {words}")
    assert REMEDY in message


def test_a_sound_sidecar_is_printed(sidecar, capsys):
    assert main(["trace", ARTEFACT]) == 0
    assert capsys.readouterr().out.startswith(f"{ARTEFACT}  sha256:")


def test_an_artefact_that_is_not_here_is_marked(sidecar, capsys):
    shutil.rmtree(ARTEFACT)

    assert main(["trace", f"{JOB}/examples/y.safetensors"]) == chain.PARTLY

    line = capsys.readouterr().out.splitlines()[1]
    assert line.startswith(f"  {ARTEFACT}  ") and line.endswith("MISSING: only its sidecar is here")


@pytest.mark.parametrize("what", [f"{JOB}/examples/y.safetensors", "examples/y", JOB, f"{JOB}/sidecar.json"])
def test_an_artefact_is_traced_by_its_path_its_name_or_its_job(sidecar, capsys, what):
    assert main(["trace", what]) == 0

    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{JOB}/examples/y.safetensors  sha256:") and second.startswith(f"  {ARTEFACT}  sha256:")


@pytest.mark.parametrize(
    "damage", ["", "garbage", "[]", '{"members": 3}', '{"members": {"examples/y.safetensors": 3}}']
)
def test_a_damaged_sidecar_of_a_job_is_one_sentence(sidecar, capsys, damage):
    Path(JOB, "sidecar.json").write_text(damage)

    assert main(["trace", f"{JOB}/examples/y.safetensors"]) == 1

    assert capsys.readouterr().err.startswith(f"touchstone: {JOB}/sidecar.json: ")


def test_a_deleted_sidecar_of_a_job_is_one_sentence(sidecar, capsys):
    Path(JOB, "sidecar.json").unlink()

    assert main(["trace", f"{JOB}/examples/y.safetensors"]) == 1

    assert f"{JOB}/examples/y.safetensors: no job made it" in capsys.readouterr().err

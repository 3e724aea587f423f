"""A trace over a damaged sidecar names the file, what is wrong with it and what to do."""

import json
from pathlib import Path

import pytest

from touchstone.__main__ import main
from touchstone.pipeline.provenance import chain, sidecar_files

ARTEFACT = "data/s/examples/x.safetensors"
LINK = {"file": 3}


@pytest.fixture
def sidecar(tmp_path, monkeypatch):
    """Write a sound artefact; return the path of its sidecar."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / ARTEFACT
    path.parent.mkdir(parents=True)
    path.write_bytes(b"abc")
    sidecar_files.write_sidecar(path, sidecar_files.artefact_digest(path), {"step": "prepare", "inputs": {}})
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
    assert "Restore the sidecar from a copy, or delete it and its artefact and run the study again." in message


def test_a_sound_sidecar_is_printed(sidecar, capsys):
    assert main(["trace", ARTEFACT]) == 0
    assert capsys.readouterr().out.startswith(f"{ARTEFACT}  sha256:")


def test_an_artefact_that_is_not_here_is_marked(sidecar, capsys):
    sidecar_files.write_sidecar(
        behind := sidecar.parent / "y",
        sidecar_files.artefact_digest(sidecar.parent / "x.safetensors"),
        {"step": "infer", "inputs": {"examples": [link(ARTEFACT)]}},
    )
    behind.write_bytes(b"abc")
    (sidecar.parent / "x.safetensors").unlink()

    code = main(["trace", "data/s/examples/y"])

    assert code == chain.PARTLY
    assert "x.safetensors" in (line := capsys.readouterr().out.splitlines()[1])
    assert line.endswith("MISSING: only its sidecar is here")


def link(file):
    record = sidecar_files.read_sidecar(Path(file))
    return {"file": file, "artefact": record["artefact"], "sidecar": sidecar_files.record_digest(Path(file))}

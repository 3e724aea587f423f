"""A trace over a damaged sidecar names the file, what is wrong with it and what to do."""

import gzip
import json
import shutil
from pathlib import Path

import pytest

from job_files import link, write_job
from touchstone.__main__ import main
from touchstone.provenance import chain, sidecar_files
from touchstone.records.metric_tables import METRIC_COLUMNS
from touchstone.report import packing

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


@pytest.fixture
def number(sidecar):
    """Write the tables of a study whose one claim rests on the set."""
    folder = Path("reports/s")
    folder.mkdir(parents=True)
    fields = {
        "claim": "N1",
        "kind": "counter",
        "status": "holds",
        "attacker": "does not apply",
        "number": "accuracy",
        "measured": "0.9",
        "unit": "fraction",
        "low": "0.8",
    }
    fields |= {"high": "1.0", "note": ""}
    (folder / "claims.csv").write_text(f"{','.join(fields)}\n{','.join(fields.values())}\n")
    row = {"evaluation": "claims", "entry": "N1", "metric": "accuracy", "value": "0.9", "files": "examples/y"}
    other = row | {"evaluation": "robustness", "files": "examples/other"}
    cells = [[each.get(column, "") for column in METRIC_COLUMNS] for each in (row, other)]
    table = "\n".join(map(",".join, [METRIC_COLUMNS, *cells])) + "\n"
    (folder / packing.METRICS).write_bytes(packing.compressed(table.encode()))


def test_a_number_is_folded_unless_all_files_are_asked_for(number, capsys):
    assert main(["trace", "s", "--number", "N1"]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == [
        "  prepare s: 1 example set",
        "    fetch x: 1 raw folder",
        "Each file by itself: add --all",
    ]

    assert main(["trace", "s", "--number", "N1", "--all"]) == 0
    whole = capsys.readouterr().out
    assert whole.splitlines()[1].startswith(f"{JOB}/examples/y.safetensors  sha256:")

    assert main(["trace", "s", "--number", "N1", "--depth", "9"]) == 0
    assert capsys.readouterr().out == whole


def test_a_folded_number_still_names_each_file_that_is_wrong(number, capsys):
    Path(JOB, "examples/y.safetensors").write_bytes(b"z")

    assert main(["trace", "s", "--number", "N1"]) == 1

    assert f"{JOB}/examples/y.safetensors  ALTERED: its bytes differ from its sidecar" in capsys.readouterr().out


def test_of_many_files_that_are_not_here_a_folded_number_names_the_first(number, capsys):
    shutil.rmtree("results")
    table, names = Path("reports/s") / packing.METRICS, " ".join(f"examples/y{place}" for place in range(10))
    table.write_bytes(packing.compressed(gzip.decompress(table.read_bytes()).replace(b"examples/y", names.encode())))
    Path("reports/s/ROOT").write_text("sha256:0\n")

    assert main(["trace", "s", "--number", "N1"]) == chain.PARTLY
    assert capsys.readouterr().out.splitlines()[-2:] == ["examples/y7", "and 2 more. Each file by itself: add --all"]

    assert main(["trace", "s", "--number", "N1", "--all"]) == chain.PARTLY
    assert capsys.readouterr().out.splitlines()[-1] == "examples/y9"


def test_all_is_refused_of_a_file_which_is_never_folded(sidecar, capsys):
    assert main(["trace", ARTEFACT, "--all"]) == 2

    assert "--all is only for a number" in capsys.readouterr().err

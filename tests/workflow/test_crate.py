"""A pack with --rocrate: a run crate for the field's validator and library, and a pack for `touchstone verify`."""

import json
import runpy
import zipfile
from pathlib import Path
from urllib.parse import unquote

import pytest
from rocrate.rocrate import ROCrate

from touchstone import digests
from touchstone.__main__ import main
from touchstone.audit import run_crate, study_evidence
from touchstone.audit.selection import Selection
from touchstone.audit.verification import Options, verify
from touchstone.pipeline.jobs import run_records
from touchstone.pipeline.planning.plan import Plan
from touchstone.provenance import archive
from touchstone.report import packing
from touchstone.settings.study import load

NET = "results/tiny/train/cnn.0/networks/cnn.0.safetensors"
TRAIN = "results/tiny/prepare/tiny/examples/digits_train.safetensors"
PAGE = "reports/tiny/report.html"

issues = runpy.run_path(str(Path(__file__).parents[1] / "crate_validator.py"))["issues"]


def write(project, target, study="tiny", claims=(), weights=True):
    """Write the crate of a study of a project, and return its path."""
    selection = Selection(Plan(load(study, project.root)), claims)
    study_evidence.write(selection, study, target, weights, root=project.root, crate=True)
    return target


def entities(crate):
    """Return {@id: entity} of a crate."""
    with zipfile.ZipFile(crate) as opened:
        graph = json.loads(opened.read(run_crate.METADATA))["@graph"]
    return {unquote(entity["@id"]): entity for entity in graph}


@pytest.fixture(scope="module")
def packed(tiny, tmp_path_factory):
    """The crate of the tiny study. Tests only read it."""
    return write(tiny, tmp_path_factory.mktemp("crate") / "tiny.crate.zip")


# --- what the field's tools say ----------------------------------------------------------------------------------------


def test_the_validator_finds_nothing_that_the_run_profiles_require(packed, monkeypatch):
    assert issues(packed, monkeypatch) == []


def test_a_crate_of_some_claims_without_weights_is_valid_too_and_names_what_it_lacks(tiny, tmp_path, monkeypatch):
    crate = write(tiny, tmp_path / "part.crate.zip", claims=("F3",), weights=False)

    named = entities(crate)
    assert issues(crate, monkeypatch) == []
    assert NET not in named
    assert digests.file_digest(tiny.root / NET) in named[f"#{NET}"]["description"]
    assert {"@id": f"#{NET}"} in named["#job-train/cnn.0"]["result"]


def without_an_instrument(entities):
    del entities["#job-prepare/few"]["instrument"]


def without_steps(entities):
    del entities["workflow/Snakefile"]["step"]


def without_a_date(entities):
    del entities["./"]["datePublished"]


def test_the_validator_refuses_each_thing_that_is_wrong(few, tmp_path, monkeypatch):
    """All at once, in a small study, because a validation takes seconds; each leaves an issue of its own, of another profile."""
    folder = tmp_path / "crate"
    zipfile.ZipFile(write(few, tmp_path / "few.zip", "few")).extractall(folder)
    metadata = folder / run_crate.METADATA
    content = json.loads(metadata.read_text())
    by_id = {entity["@id"]: entity for entity in content["@graph"]}
    for change in (without_an_instrument, without_steps, without_a_date):
        change(by_id)
    metadata.write_text(json.dumps(content))
    (folder / "reports/few/report.html").unlink()

    said = "\n".join(issues(folder, monkeypatch))

    for words in ("instrument", "step", "datePublished", "reports/few/report.html"):
        assert words in said, words


def test_rocrate_opens_it_and_finds_which_job_made_a_network_from_what(packed):
    opened = ROCrate(packed)

    action = opened.get("#job-train/cnn.0")
    assert opened.mainEntity.id == "workflow/Snakefile"
    assert NET in [entity.id for entity in action["result"]]
    assert TRAIN in [entity.id for entity in action["object"]]
    assert action["instrument"].id == "#tool-train"
    assert [entity.id for entity in opened.get("#orchestration")["object"]][:2] == [
        "#control-fetch/sklearn_digits",
        "#control-prepare/tiny",
    ]


# --- what touchstone says ----------------------------------------------------------------------------------------------


def test_it_is_a_pack_that_verify_checks_and_a_changed_page_is_found(few, tmp_path):
    crate = write(few, tmp_path / "few.zip", "few")
    assert verify(crate, Options()).problems == []

    page, forged = "reports/few/report.html", tmp_path / "forged.zip"
    with zipfile.ZipFile(crate) as source, zipfile.ZipFile(forged, "w") as target:
        for name in source.namelist():
            target.writestr(
                name, source.read(name).replace(b"<title>", b"<title>Robust: ") if name == page else source.read(name)
            )

    assert page in "\n".join(map(str, verify(forged, Options()).problems))


def test_the_command_writes_it_into_build(few, tmp_path, monkeypatch, capsys):
    project = few.copy(tmp_path / "copy")
    monkeypatch.chdir(project.root)

    assert main(["pack", "few", "--rocrate"]) == 0
    assert main(["pack", "few"]) == 0

    said = capsys.readouterr().out
    assert "build/few.crate.zip: " in said
    assert "build/few.pack: " in said
    assert set(archive.read_manifest(Path("build/few.crate.zip")).entries) - set(
        archive.read_manifest(Path("build/few.pack")).entries
    ) >= {run_crate.METADATA, "reports/few/report.html", "workflow/Snakefile", "workflow/rules/data.smk"}


# --- what it says ------------------------------------------------------------------------------------------------------


def test_one_run_gives_one_crate_wherever_and_whenever(tiny, packed, tmp_path):
    elsewhere = tiny.copy(tmp_path / "copy")

    assert write(elsewhere, tmp_path / "again.zip").read_bytes() == packed.read_bytes()


def test_times_agent_code_and_versions_are_those_of_the_run_records(few, tmp_path):
    project = few.copy(tmp_path / "copy")
    path = project.root / "logs/few/runs/prepare/few.json"
    run = json.loads(path.read_text()) | {"agent": "Ada Lovelace", "commit": "c0ffee", "dirty": True, "computed": 0}
    path.write_text(json.dumps(run))

    named = entities(write(project, tmp_path / "few.zip", "few"))

    action = named["#job-prepare/few"]
    assert (action["startTime"], action["endTime"]) == (run["start"], run["end"])
    assert named[unquote(action["agent"]["@id"])]["name"] == "Ada Lovelace"
    assert "c0ffee with uncommitted changes" in action["description"]
    assert "computed 0 of 1 results, and took the others from the store" in action["description"]
    assert named["https://snakemake.github.io"]["softwareVersion"] == run["versions"]["snakemake"]
    assert named["#tool-prepare"]["softwareVersion"] == run["versions"]["touchstone"]
    ends = [record["end"] for name in ("raw", "few") for record in run_records.read(project.root / "logs" / name)]
    assert named["./"]["datePublished"] == max(ends)[:10]


def test_without_run_records_nothing_is_made_up(few, tmp_path, monkeypatch):
    project = few.copy(tmp_path / "copy")
    for path in (project.root / "logs").rglob("*.json"):
        path.unlink()

    crate = write(project, tmp_path / "few.zip", "few")

    known = ("startTime", "endTime", "agent", "softwareVersion", "version", "author")
    told = [entity["@id"] for entity in entities(crate).values() if any(name in entity for name in known)]
    assert told == [*run_crate.PROFILES]
    assert issues(crate, monkeypatch) == []


def test_neither_host_nor_path_of_this_machine_is_in_it(packed, tiny):
    host = run_records.read(tiny.root / "logs/tiny")[0]["host"]
    with zipfile.ZipFile(packed) as made:
        metadata = made.read(run_crate.METADATA).decode()
        dates = {entry.date_time for entry in made.infolist()}

    assert str(tiny.root) not in metadata
    assert f'"{host}"' not in metadata
    assert dates == {archive.DATE}


def test_every_file_is_described_with_the_digest_size_and_format_that_it_has(packed):
    named = entities(packed)
    with zipfile.ZipFile(packed) as made:
        for name in set(made.namelist()) - {run_crate.METADATA, archive.MANIFEST}:
            data, entity = made.read(name), named[name]
            assert (digests.sha256(data), len(data)) == (f"sha256:{entity['sha256']}", int(entity["contentSize"])), name

    assert named[f"reports/tiny/{packing.METRICS}"]["encodingFormat"] == "application/gzip"
    assert named[TRAIN]["encodingFormat"] == "application/octet-stream"
    assert named["workflow/rules/data.smk"]["encodingFormat"] == "text/plain"
    assert archive.MANIFEST in named


@pytest.mark.parametrize("name", [NET, PAGE])
def test_a_file_whose_bytes_are_not_those_of_its_record_is_not_packed(copied, tmp_path, name):
    path = copied.root / name
    path.write_bytes(path.read_bytes()[:-1] + b"x")

    with pytest.raises(ValueError, match=f"{name}: its bytes do not match"):
        write(copied, tmp_path / "x.zip")
    assert not (tmp_path / "x.zip").exists()

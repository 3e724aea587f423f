"""The run crate: equal bytes twice, accepted by the validator at REQUIRED, opened by rocrate; what is wrong is refused."""

import json
import runpy
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from rocrate.rocrate import ROCrate

from touchstone import digests
from touchstone.commands import crate
from touchstone.evidence_files import archive
from touchstone.pipeline.planning.plan import Plan
from touchstone.pipeline.settings.study import load
from touchstone.report import packing

NET = "results/tiny/train/cnn.0/networks/cnn.0.safetensors"
TRAIN = "results/tiny/prepare/tiny/examples/digits_train.safetensors"
PROFILE = "provenance-run-crate-0.5"  # it extends workflow-run-crate, process-run-crate and ro-crate-1.1


issues = runpy.run_path(str(Path(__file__).parents[1] / "crate_validator.py"))["issues"]


def plan_of(project):
    return Plan(load("tiny", project.root))


@pytest.fixture(scope="module")
def packed(tiny, tmp_path_factory):
    target = tmp_path_factory.mktemp("crate") / "tiny.zip"
    crate.write(plan_of(tiny), target, tiny.root)
    return target


@pytest.fixture
def unpacked(packed, tmp_path):
    zipfile.ZipFile(packed).extractall(tmp_path / "crate")
    return tmp_path / "crate"


def edited(folder, change):
    """The crate with its metadata changed: `change` gets {@id: entity}."""
    path = folder / crate.METADATA
    content = json.loads(path.read_text())
    entities = {entity["@id"]: entity for entity in content["@graph"]}
    change(entities)
    path.write_text(json.dumps(content | {"@graph": list(entities.values())}))
    return folder


def test_the_validator_accepts_the_zip_at_required_by_the_run_profile_and_those_that_it_extends(packed, monkeypatch):
    assert issues(packed, PROFILE, monkeypatch) == []


def without_an_instrument(entities):
    del entities["#make-results/few/prepare/few/examples/digits_test.safetensors"]["instrument"]


def without_steps(entities):
    del entities["Snakefile"]["step"]


def without_a_date(entities):
    del entities["./"]["datePublished"]


def test_the_validator_refuses_each_thing_that_is_wrong(few, tmp_path, monkeypatch):
    """All at once, in a small study, because a validation takes seconds; each leaves an issue of its own, of another profile."""
    crate.write(Plan(load("few", few.root)), tmp_path / "few.zip", few.root)
    zipfile.ZipFile(tmp_path / "few.zip").extractall(tmp_path / "crate")
    for change in (without_an_instrument, without_steps, without_a_date):
        edited(tmp_path / "crate", change)
    (tmp_path / "crate/reports/few/report.html").unlink()

    said = issues(tmp_path / "crate", PROFILE, monkeypatch)

    for words in ("instrument", "step", "datePublished", "reports/few/report.html"):
        assert words in "\n".join(said), words


def test_one_study_gives_one_zip_wherever_and_whenever(tiny, packed, tmp_path):
    elsewhere = tiny.copy(tmp_path / "copy")

    crate.write(plan_of(elsewhere), tmp_path / "again.zip", elsewhere.root)

    assert (tmp_path / "again.zip").read_bytes() == packed.read_bytes()


def test_rocrate_opens_it_and_finds_who_made_what(packed):
    opened = ROCrate(str(packed))

    action = opened.dereference(f"#make-{NET}")
    assert opened.mainEntity.id == "Snakefile"
    assert [entity.id for entity in action["result"]] == [NET]
    assert TRAIN in [entity.id for entity in action["object"]]
    assert action["instrument"].id == "#tool-train"


def test_every_file_has_the_digest_that_the_crate_states(unpacked):
    graph = json.loads((unpacked / crate.METADATA).read_text())["@graph"]
    stated = {entity["@id"]: entity["sha256"] for entity in graph if "sha256" in entity}

    assert len(stated) > 200
    for name, digest in stated.items():
        assert digests.file_digest(unpacked / name) == f"sha256:{digest}"


def test_every_file_has_its_format_and_the_sidecar_of_a_folder_is_about_the_folder(unpacked):
    entities = {entity["@id"]: entity for entity in json.loads((unpacked / crate.METADATA).read_text())["@graph"]}
    formats = {name: entity.get("encodingFormat") for name, entity in entities.items()}

    assert formats[f"reports/tiny/{packing.METRICS}"] == "application/gzip"
    assert formats[TRAIN] == "application/octet-stream"
    assert (formats["LICENSE"], formats["workflow/rules/data.smk"]) == ("text/plain", "text/plain")
    assert entities["data/raw/sklearn_digits.prov.json"]["about"] == [{"@id": "data/raw/sklearn_digits/"}]
    assert entities["results/tiny/train/cnn.0/sidecar.json"]["about"] == [{"@id": NET}]
    sets = {entry["@id"] for entry in entities["results/tiny/prepare/tiny/sidecar.json"]["about"]}
    assert TRAIN in sets <= entities.keys()


def test_papers_plugins_and_study_files_of_the_users_own_are_packed(few, tmp_path):
    own = few.copy(tmp_path / "own")
    (own.root / "mine/detectors").mkdir(parents=True)
    (own.root / "mine/detectors/spread.py").touch()
    (own.root / "elsewhere").mkdir()
    (own.root / "workflow/studies/few.yaml").rename(own.root / "elsewhere/few.yaml")
    study = replace(load("elsewhere/few.yaml", own.root), folders=("./mine",))

    crate.write(Plan(study), tmp_path / "few.zip", own.root)

    assert {"mine/detectors/spread.py", "elsewhere/few.yaml"} <= set(zipfile.ZipFile(tmp_path / "few.zip").namelist())


def test_what_lies_outside_the_project_is_refused(few, tmp_path):
    study = replace(load("few", few.root), folders=(str(tmp_path / "mine"),))

    with pytest.raises(ValueError, match=r"reads .*mine, and a crate holds only what lies inside the project's folder"):
        crate.write(Plan(study), tmp_path / "few.zip", few.root)


def test_no_clock_host_or_path_of_this_machine_is_in_it(packed, tiny):
    with zipfile.ZipFile(packed) as made:
        metadata = made.read(crate.METADATA).decode()

        assert str(tiny.root) not in metadata
        assert {entry.date_time for entry in made.infolist()} == {archive.DATE}


def test_a_file_that_its_sidecar_does_not_vouch_for_is_not_packed(copied, tmp_path):
    path = copied.root / NET
    path.write_bytes(path.read_bytes()[:-1] + b"x")

    with pytest.raises(ValueError, match=f"{NET}: its bytes do not match"):
        crate.write(plan_of(copied), tmp_path / "x.zip", copied.root)
    assert not (tmp_path / "x.zip").exists()

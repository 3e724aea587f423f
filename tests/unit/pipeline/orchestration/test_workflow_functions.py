"""What the Snakefile asks: its --config, the jobs of a rule, what they read, and the environment of jobs."""

import os
import shutil
from pathlib import Path
from time import time_ns
from types import SimpleNamespace

import pytest

from sheet_study import STUDY
from touchstone import __version__, plugins
from touchstone.pipeline.jobs import job_plan
from touchstone.pipeline.orchestration import workflow_functions as functions
from touchstone.provenance import store
from touchstone.settings.files import DEFAULT_STUDY, ParamsError

OWN = "  sources:\n    mine: {use: own_files, location: pets, sha256: null}\n"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = STUDY.replace("  sources:\n", OWN).replace("[tested, ", "[pets, tested, ")
    Path("sheet.yaml").write_text(
        text.replace("sets: {", "sets: {pets: {use: own_images, source: mine, height: 8, width: 8}, ")
    )


def of(**values):
    """The wildcards of a job."""
    return SimpleNamespace(items=values.items)


@pytest.mark.parametrize(
    ("config", "read"),
    [
        ({}, (DEFAULT_STUDY, "")),
        ({"study": "tiny"}, ("tiny", "")),
        ({"study": "tiny", "recompute": "train", "container": "x.sif"}, ("tiny", "train")),
        ({"recompute": None}, (DEFAULT_STUDY, "")),
        ({"study": 2024}, ("2024", "")),
    ],
)
def test_a_config_names_a_study_and_what_to_recompute(config, read):
    assert functions.read_config(config) == read


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"studdy": "tiny"}, r"--config studdy=: there is no such setting; .* Did you mean study\?"),
        ({"study": "tiny", "recompte": "train"}, r"--config recompte=: .* Did you mean recompute\?"),
        ({"study": ""}, r"--config study=: no study is named; for example study=digits"),
        ({"study": None}, r"--config study=: no study is named"),
        ({"recompute": "trian"}, r"--config recompute=trian: there is no such rule; .* Did you mean train\?"),
        ({"recompute": "infer"}, r"--config recompute=infer: there is no such rule; use fetch, prepare, .* report"),
    ],
)
def test_a_mistake_in_the_config_is_named_with_what_was_meant(config, told):
    with pytest.raises(ParamsError, match=told):
        functions.read_config(config)


def test_a_study_knows_the_jobs_of_a_rule_what_they_read_and_what_changes_them():
    study = functions.PlannedStudy("sheet.yaml")

    assert study.inputs("prepare")(of()) == ["data/raw/digits", "data/raw/mine"]
    assert study.folders(of()) == ["results/sheet/evaluate/shared"]
    digest = study.digest("fetch")(of(source="mine"))
    assert Path(functions.FOLDER, f"{digest}.json").exists()
    assert digest != study.digest("fetch")(of(source="digits"))


def test_a_study_that_was_planned_by_its_path_is_found_by_its_name_which_its_report_prints():
    with pytest.raises(ParamsError, match="no study called moved"):
        functions.PlannedStudy("moved")
    Path("own").mkdir()
    shutil.copy("sheet.yaml", "own/moved.yaml")

    functions.PlannedStudy("own/moved.yaml")

    assert functions.PlannedStudy("moved").name == "moved"
    Path("own/moved.yaml").unlink()
    with pytest.raises(ParamsError, match="no study called moved"):
        functions.PlannedStudy("moved")


def test_two_studies_of_one_name_would_write_one_report():
    for folder in ("first", "second", "workflow/studies"):
        Path(folder).mkdir(parents=True)
        shutil.copy("sheet.yaml", f"{folder}/twin.yaml")
    with pytest.raises(
        ParamsError, match=r"first/twin\.yaml: workflow/studies/twin\.yaml is called twin, too, and both"
    ):
        functions.PlannedStudy("first/twin.yaml")
    functions.PlannedStudy("workflow/studies/twin.yaml")
    Path("workflow/studies/twin.yaml").unlink()

    functions.PlannedStudy("first/twin.yaml")
    functions.PlannedStudy("first/twin.yaml")
    with pytest.raises(ParamsError, match=r"first/twin\.yaml is called twin, too"):
        functions.PlannedStudy("second/twin.yaml")
    Path("first/twin.yaml").unlink()
    functions.PlannedStudy("second/twin.yaml")


def test_of_a_finished_study_what_was_deleted_is_asked_for_too():
    study = functions.PlannedStudy("sheet.yaml")
    Path("results/sheet/evaluate/shared").mkdir(parents=True)

    assert study.folders(of()) == ["results/sheet/evaluate/shared", "results/sheet/prepare/sheet"]
    Path("results/sheet/prepare/sheet").mkdir(parents=True)
    assert study.folders(of()) == ["results/sheet/evaluate/shared"]


def test_a_plan_that_a_power_cut_has_damaged_is_written_again():
    functions.PlannedStudy("sheet.yaml")
    plans = {path: path.read_bytes() for path in functions.FOLDER.rglob("*.json")}
    for path in plans:
        path.write_bytes(b"")

    functions.PlannedStudy("sheet.yaml")

    assert {path: path.read_bytes() for path in plans} == plans


def test_a_job_that_the_study_does_not_have_is_refused_with_the_nearest():
    study = functions.PlannedStudy("sheet.yaml")

    with pytest.raises(ParamsError, match=r"study sheet has no fetch job called digit\. Did you mean digits\?"):
        study.inputs("fetch")(of(source="digit"))
    with pytest.raises(ParamsError, match=r"study sheet has no train job called cnn\.0"):
        study.digest("train")(of(network="cnn.0"))


def test_the_users_own_files_are_an_input_of_their_fetch_alone():
    Path("pets/cat").mkdir(parents=True)
    Path("pets/cat/1.png").write_bytes(b"1")
    study = functions.PlannedStudy("sheet.yaml")

    (listed,) = study.own_files(of(source="mine"))
    assert "pets/cat/1.png" in Path(listed).read_text()
    assert study.own_files(of(source="digits")) == []


@pytest.mark.parametrize("name", functions.OLDER)
def test_files_of_an_earlier_version_are_refused_before_anything_runs(name):
    Path("data/sheet", name).mkdir(parents=True)

    with pytest.raises(ParamsError) as error:
        functions.PlannedStudy("sheet.yaml")
    assert str(error.value) == (
        f"data/sheet/{name} was made by touchstone before 1.0, and {__version__} cannot read it: delete the folder"
        " data/sheet, and .touchstone, and run the study again"
    )


def test_the_store_and_an_earlier_version_of_another_study_are_no_obstacle():
    for name in ("sheet/score", "sheet/train", "sheet/measure", "digits/scores"):
        Path("data", name).mkdir(parents=True)

    functions.PlannedStudy("sheet.yaml")


def test_jobs_find_package_plans_store_and_plugins_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(plugins, "places", lambda: [plugins.PACKAGE, tmp_path / "mine"])
    monkeypatch.delenv(store.VARIABLE, raising=False)

    functions.set_environment(tmp_path / "requirements.lock", 2, "train")

    assert os.environ[functions.PATH].split(os.pathsep)[0] == str(plugins.PACKAGE.parent)
    assert os.environ[job_plan.VARIABLE] == str(tmp_path / ".touchstone/plan")
    assert os.environ[store.VARIABLE] == str(tmp_path / "data")
    assert os.environ[plugins.VARIABLE] == str(tmp_path / "mine")
    assert os.environ[job_plan.RECOMPUTE] == "train"
    assert os.environ["OMP_NUM_THREADS"] == "2"


def test_a_store_that_the_user_has_chosen_stays(tmp_path, monkeypatch):
    monkeypatch.setenv(store.VARIABLE, "../shared")

    functions.set_environment(tmp_path / "requirements.lock", 1)

    assert os.environ[store.VARIABLE] == str(tmp_path.parent / "shared")


def test_times_in_the_future_are_set_to_one_time_that_is_not_and_others_stay():
    later, earlier = Path("results/own/train/cnn.0/.snakemake_timestamp"), Path("reports/own/ROOT")
    page = Path("reports/own/report.html")
    for path, time in ((later, 2**62), (page, 2**61), (earlier, 2**30)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.utime(path, ns=(time, time))

    functions.move_back_future_times("own")

    assert later.stat().st_mtime_ns == page.stat().st_mtime_ns <= time_ns()
    assert earlier.stat().st_mtime_ns == 2**30

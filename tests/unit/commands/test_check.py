"""`touchstone check STUDY` says what a run computes and how long that takes."""

import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

from touchstone.commands import _durations, _study_check
from touchstone.pipeline.jobs import run_records
from touchstone.pipeline.planning.parts import Job
from touchstone.pipeline.planning.plan import Plan
from touchstone.provenance import sidecar_files
from touchstone.settings.study import Study, load

ROOT = Path(__file__).parents[3]
NETWORK = {"train": "digits_train", "epochs": 20, "seeds": [0, 1]}
MINE = Study(
    "mine",
    {"examples": {"digits_train": {"use": "data/digits"}}, "classifiers": {"cnn": NETWORK}, "translators": {}},
)
HEAD = "output_file\tdate\trule\tlog-file(s)\tstatus\tplan\n"


def summary(**plans):
    outputs = {
        "data/raw/photos": "fetch",
        "data/raw/photos.prov.json": "fetch",
        "results/mine/train/cnn.0": "train",
        "results/mine/train/cnn.1": "train",
        "reports/mine/report.html": "report",
        "reports/mine/ROOT": "report",
    }
    rows = (f"{file}\t-\t{rule}\t-\tmissing\t{plans[rule]}\n" for file, rule in outputs.items())
    return HEAD + "".join(rows)


def record(rule, name, study="mine", **facts):
    path = Path("logs", study, run_records.FOLDER, rule, f"{name}.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    started = {"rule": rule, "name": name, "start": "2026-01-01", "host": "here", "process": {}}
    path.write_text(json.dumps({**started, "computed": 1, "end": "2026-01-01", "cpu_seconds": 600.0, **facts}))


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_study_check.processes, "available_cores", lambda: 2)


JOBS = [("fetch", "photos"), ("train", "cnn.0"), ("train", "cnn.1"), ("report", "mine")]


def waiting(rows, unusable=(), inputs=()):
    """The jobs that would run, of a plan whose report reads `inputs`."""
    jobs = {job: Job(*job, tasks=(), inputs=tuple(inputs) if job[0] == "report" else ()) for job in JOBS}
    return _study_check._waiting(SimpleNamespace(study=MINE, jobs=jobs), rows, unusable)


def said(**plans):
    every = Counter(dict.fromkeys(JOBS, 1))
    return "\n".join(_study_check._jobs(MINE, waiting(summary(**plans)), 4, every, 4))


def test_what_a_run_removes_first_runs_again_and_so_does_what_is_made_of_it():
    rows = summary(fetch="no update", train="no update", report="no update")
    assert waiting(rows, {"train/cnn.1"}, ["train/cnn.0"]) == [("train", "cnn.1")]
    assert waiting(rows, {"train/cnn.1"}, ["train/cnn.1"]) == [("train", "cnn.1"), ("report", "mine")]


def test_a_finished_study_has_nothing_to_do():
    assert said(fetch="no update", train="no update", report="no update") == "Nothing to do: nothing has changed."


def test_jobs_are_counted_once_each_whatever_they_write():
    text = said(fetch="update pending", train="update pending", report="update pending")
    assert "4 of 4 jobs: fetch 1, train 2, report 1" in text
    assert "not known before a first run here" in text


def test_only_jobs_that_would_run_are_counted():
    assert "3 of 4 jobs: train 2, report 1" in said(fetch="no update", train="update pending", report="update pending")


def test_the_time_is_what_the_jobs_took_the_last_time_on_all_cores():
    record("train", "cnn.0")
    record("train", "cnn.1", cpu_seconds=1200.0)
    record("report", "mine", cpu_seconds=0.0)
    text = said(fetch="no update", train="update pending", report="update pending")
    assert "about 15.0 min on 2 cores, from what these jobs took here the last time" in text


def test_jobs_without_a_record_are_taken_to_last_as_long_as_the_others():
    record("train", "cnn.0")
    text = said(fetch="no update", train="update pending", report="no update")
    assert "about 10.0 min on 2 cores, from what these jobs took" in text


def test_a_training_of_other_epochs_than_the_last_time_takes_longer_or_shorter():
    record("train", "cnn.0")
    record("train", "cnn.1")
    record("report", "mine", cpu_seconds=0.0)
    facts = {
        "artefact": "sha256:1",
        "step": "train",
        "inputs": {},
        "code": "sha256:2",
        "definitions": {},
        "packages": {},
    }
    folder = Path("results/mine/train/cnn.0")
    folder.mkdir(parents=True)
    sidecar_files.write_job_sidecar(
        folder, {"networks/cnn.0.safetensors": facts | {"settings": {"loop": {"epochs": 10}}}}
    )

    text = said(fetch="no update", train="update pending", report="update pending")

    assert "about 15.0 min on 2 cores, from what these jobs took here the last time" in text  # 1200 and 600 seconds


def ours(train="data/digits", epochs=20):
    """Write the table of our own runs."""
    seconds = {"train/cnn.0": 300.0, "train/mlp.0": 60.0, "report/digits": 60.0, "fetch/photos": 0.0}
    run = {"train": {"use": train}, "epochs": {"cnn": epochs}, "seconds": seconds}
    _durations.TABLE.parent.mkdir(parents=True)
    _durations.TABLE.write_text(json.dumps({"digits": run}))


def test_without_a_run_here_the_time_is_that_of_our_run_on_the_same_images():
    ours()
    text = said(fetch="update pending", train="update pending", report="update pending")
    assert "about 5.5 min on 2 cores, from our own run of digits" in text  # 0, 300 twice, 60 seconds


def test_a_training_of_twice_the_epochs_takes_twice_as_long():
    ours(epochs=10)
    assert "about 10.0 min on 2 cores" in said(fetch="no update", train="update pending", report="no update")


def test_a_run_of_ours_on_other_images_says_nothing():
    ours(train="data/mnist")
    assert _study_check.UNKNOWN in said(fetch="no update", train="update pending", report="no update").replace(
        "\n" + 13 * " ", " "
    )


def test_a_record_that_says_nothing_of_computing_is_left_out():
    record("train", "cnn.0")
    record("train", "cnn.1", computed=0, cpu_seconds=1.0)
    text = said(fetch="no update", train="update pending", report="no update")
    assert "about 10.0 min on 2 cores" in text


def test_the_latest_record_of_the_study_and_of_downloads_counts_and_no_other():
    record("train", "cnn.0")
    record("train", "cnn.0", study="raw", end="2026-02-01", cpu_seconds=120.0)
    record("train", "cnn.0", study="other", end="2026-03-01", cpu_seconds=5.0)
    text = said(fetch="no update", train="update pending", report="no update")
    assert "about 2.0 min on 2 cores" in text


@pytest.mark.parametrize("name", sorted(json.loads((ROOT / _durations.TABLE).read_text())))
def test_the_table_of_our_runs_names_the_jobs_of_todays_plan(name, monkeypatch):
    monkeypatch.chdir(ROOT)

    assert set(_durations._runs()[name]["seconds"]) == {str(job) for job in Plan(load(name)).jobs.values()}


def test_what_the_store_has_is_neither_counted_nor_timed():
    record("train", "cnn.0")
    record("train", "cnn.1", cpu_seconds=1200.0)
    rows = summary(fetch="no update", train="update pending", report="update pending")
    missing = Counter({("train", "cnn.1"): 2, ("report", "mine"): 1, ("fetch", "photos"): 1})

    text = "\n".join(_study_check._jobs(MINE, waiting(rows), 4, missing, 9))

    assert "3 of 4 jobs: train 2, report 1" in text
    assert "at most 3 of 9 files; a job takes what was made from the same bytes from the store" in text
    assert "about 20.0 min on 2 cores" in text  # 1200 s, and the report like the others


def test_a_job_that_later_took_all_from_the_store_lasts_what_it_did_when_it_computed():
    record("train", "cnn.0", computed=0, cpu_seconds=1.0, fullest={"computed": 3, "cpu_seconds": 600.0})
    assert "about 10.0 min on 2 cores" in said(fetch="no update", train="update pending", report="no update")


def test_a_copy_of_a_study_takes_what_the_study_took():
    copied = Study("copied", MINE.settings)
    record("train", "cnn.0", study="copied")
    record("train", "cnn.1", study="copied")
    record("report", "copied", study="copied")
    plans = {"fetch": "no update", "train": "update pending", "report": "no update"}
    assert _study_check.UNKNOWN.split(";")[0] in said(**plans)

    _durations.note_train_set(copied)
    assert "about 10.0 min on 2 cores" in said(**plans)
    assert "about 5.0 min on 2 cores" in said(fetch="no update", train="no update", report="update pending")

    record("train", "cnn.0", cpu_seconds=1200.0)
    assert "about 15.0 min on 2 cores" in said(**plans)  # the study's own record counts first


def test_a_word_that_entries_contain_lists_these():
    settings = {"attacks": {}, "data": {}}
    study = Study("mine", settings | {"classifiers": {"cnn": {}, "cnn_aloe": {}, "wide_aloe": {}}})

    with pytest.raises(ValueError, match=r"no entry called aloe\. These contain the word: cnn_aloe, wide_aloe\."):
        _study_check._entry(study, "aloe")
    shown = _study_check._entry(
        Study("mine", {"examples": {"far": {"count": 3}}}, roles={"ood_far": ["far"]}), "ood_far"
    )
    assert shown == "data:\n  ood_far:\n    far:\n      count: 3\n"
    with pytest.raises(ValueError, match=r"no entry called cnm\. Did you mean cnn\?"):
        _study_check._entry(study, "cnm")


def test_sets_are_listed_with_their_images_and_attacks_by_eps():
    study = {section: {} for section in _study_check.SECTIONS} | {
        "examples": {
            "noise": {
                "use": "data/uniform_noise",
                "count": 1360,
                "channels": 1,
                "size": 28,
                "source": None,
                "of": None,
            },
            "mine": {"use": "data/own", "source": "files", "of": None},
            "pair": {"use": "data/two_classes", "of": "noise", "source": None, "negative": 3, "positive": 7},
        },
        "sources": {"files": {"use": "sources/own_files"}},
        "attacks": {"pgd": {"eps": 0.1}, "fgsm": {"eps": 0.1}, "fab": {}, "tiny": {"eps": 1 / 255}}
        | {"ball": {"eps": 0.5, "norm": "l2", "steps": 9}},
    }
    lines = list(_study_check._entries(Study("mine", study, roles={"ood_noise": ["noise"], "idle": []}), {"mine": 12}))
    assert lines[0] == "data         ood_noise: noise (1,360)"
    assert lines[1] == f"{'':<13}made of these, or for one question: mine (12), pair (at most 1,360)"
    assert f"{'':<13}eps 0.5 in L2, 9 steps: ball" in lines
    assert "attacks      eps 0.1: pgd, fgsm" in lines
    assert f"{'':<13}fab" in lines
    assert f"{'':<13}eps 0.00392157: tiny" in lines


def test_networks_are_listed_by_how_long_they_train_and_how_many_there_are():
    entries = {
        "cnn": {"epochs": 20, "seeds": [0, 1, 2], "train": "some", "outliers": []},
        "mlp": {"epochs": 20, "seeds": [0, 1, 2], "train": "some", "outliers": ["blobs"], "outliers_used": "none"},
        "aloe": {"epochs": 40, "seeds": [0], "train": "some", "outliers": ["blobs"], "outliers_used": "attacked"},
        "short": {"epochs": 1, "seeds": [0], "train": "few"},
        "own": {"seeds": [0]},
    }
    study = {section: {} for section in ("examples", *_study_check.SECTIONS)} | {"classifiers": entries}
    lines = list(_study_check._entries(Study("mine", study), {}))
    assert "classifiers  20 epochs on some, 3 networks each: cnn, mlp" in lines
    assert f"{'':<13}40 epochs on some and outliers, 1 network each: aloe" in lines
    assert f"{'':<13}1 epoch on few, 1 network each: short" in lines
    assert f"{'':<13}read from a file, 1 network each: own" in lines
    assert f"{'defences':<13}-" in lines


def test_what_the_studys_own_file_changes_is_shown_as_it_is_written(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(
        "change:\n  attacks:\n    pgd: {steps: 100}\n    bim:\n      steps: 3\n  detectors: {odin: {eps: 0}}\n"
    )
    lines = list(_study_check._changes(Study("mine", {}, files=(str(file),))))
    assert lines == ["change       attacks: pgd {steps: 100}, bim {steps: 3}", f"{'':<13}detectors: odin {{eps: 0}}"]
    file.write_text("title: Mine\n")
    assert list(_study_check._changes(Study("mine", {}, files=(str(file),)))) == []


def test_the_head_of_digits_says_how_many_networks_are_trained():
    steps = Counter(task.step for task in Plan(load("digits", ROOT)).tasks.values())
    assert f"# make run: {steps['train']} networks " in Path(ROOT, "workflow/studies/digits.yaml").read_text()

"""Every shipped study plans whole, without its data at hand: no job is missing, and none is there that nothing needs."""

import json
import re
from fractions import Fraction
from pathlib import Path

import pytest

from projects import write_study
from touchstone.digests import folder_digest
from touchstone.pipeline.planning.plan import Plan
from touchstone.settings.files import DEFAULT_STUDY, study_file
from touchstone.settings.study import load

ROOT = Path(__file__).parents[2]
PINNED = "sha256:e34d9899136e13080fb109e32926b3834fe0fff9e83100089bb8e09c9e47ac94"  # of sklearn_digits
JOBS = {
    "fashion_mnist": 351,
    "fashion_mnist_multiverse": 278,
    "fashion_mnist_resnet": 376,
    "mnist": 196,
    "cifar10": 95,
    "cifar100": 45,
    "gtsrb": 47,
}  # a look at each study's size; change the figure with the study


@pytest.mark.parametrize("study", JOBS)
def test_snakemake_starts_each_job_of_a_study_once_and_no_other(bare, study):
    jobs = Plan(load(study, ROOT)).jobs

    assert len(jobs) == JOBS[study]
    assert bare.planned(study=study).total() == len(jobs)


@pytest.mark.parametrize("study", [DEFAULT_STUDY, *JOBS])
def test_a_study_opens_with_its_command_its_minutes_and_its_device(study):
    command = "" if study == DEFAULT_STUDY else f" STUDY={study}"
    opening = study_file(study, ROOT).read_text().split("\n\n")[0]

    assert opening.startswith(f"# make run{command}: ")
    assert "minute" in opening or "hour" in opening
    assert "GPU" in opening


@pytest.mark.parametrize("study", [DEFAULT_STUDY, *JOBS])
def test_attackers_that_know_a_detector_or_not_have_one_budget_which_the_caption_states(study):
    settings = load(study, ROOT)
    for figure in settings["figures"].values():
        if figure["use"] == "figures/evasion_by_knowledge":
            attacks = settings["evaluations"][figure["evaluation"]]["attacks"]
            budgets = {round(settings["attacks"][attack]["eps"], 6) for attack in attacks}
            stated = {round(float(Fraction(eps)), 6) for eps in re.findall(r"eps (\S+)", figure["caption"])}
            assert len(budgets) == 1 and stated <= budgets, (budgets, stated)


@pytest.mark.parametrize(("study", "side"), [("digits", 28), ("fashion_mnist", 28), ("cifar10", 32)])
def test_patches_that_are_shuffled_fit_the_images_of_the_study(study, side):
    shuffled = [entry for entry in load(study, ROOT)["examples"].values() if entry["use"] == "data/patch_shuffled"]

    assert shuffled and all(side % entry["patch"] == 0 for entry in shuffled)


@pytest.fixture(scope="module")
def fetched(bare, tmp_path_factory):
    """A copy of the repository in which one source without a digest and one without network were fetched; what was said."""
    project = bare.copy(tmp_path_factory.mktemp("fetched") / "project")
    without_network = {"use": "mnist", "mirror": "http://127.0.0.1:9", "sha256": PINNED}
    sources = {"sklearn_digits": {"sha256": None}, "their_mnist": without_network}
    clean = {"theirs": {"use": "mnist", "source": "their_mnist", "part": "train"}}
    write_study(project.root, "mine", data={"sources": sources, "reference": clean})
    folders = [f"data/raw/{source}" for source in ("sklearn_digits", "their_mnist")]
    return project, project.snakemake("--cores", "1", *folders, study="mine", check=False)


def test_a_source_without_a_digest_is_taken_as_it_comes_and_told(fetched):
    project, done = fetched
    log = (project.root / "logs/fetch/sklearn_digits.log").read_text()

    sidecar = json.loads((project.root / "data/raw/sklearn_digits.prov.json").read_text())
    assert "sha256 is null for sklearn_digits" in done.stdout + done.stderr
    assert sidecar["settings"]["sha256"] is None
    assert sidecar["artefact"] == folder_digest(project.root / "data/raw/sklearn_digits") == PINNED
    assert f'to pin these files, write sha256: "{PINNED}" into data.sources.sklearn_digits' in log


def test_without_network_the_job_says_which_files_to_put_where(fetched):
    project, done = fetched
    log = (project.root / "logs/fetch/their_mnist.log").read_text()

    assert done.returncode != 0
    assert "mnist: could not download train-images-idx3-ubyte.gz" in log
    assert "t10k-labels-idx1-ubyte.gz  (md5:ec29112dd5afa0611ce80d1b7f02629c, from https://ossci-datasets" in log
    assert "set data.sources.mnist.local_folder to it" in log
    assert "Traceback" not in log
    assert not list((project.root / "data/raw").glob("their_mnist*"))

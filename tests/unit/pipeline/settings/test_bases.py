"""A study that starts from another study: its overlay is merged over the other's overlays, and those over params.yaml."""

from pathlib import Path

import pytest

from touchstone.pipeline.settings.files import ParamsError
from touchstone.pipeline.settings.study import load

ROOT = Path(__file__).parents[4]
STUDIES = sorted(path.stem for path in (ROOT / "workflow/studies").glob("*.yaml"))


@pytest.fixture
def project(tmp_path):
    """A copy of the shipped studies; it yields what writes a further overlay."""
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    folder = tmp_path / "workflow" / "studies"
    folder.mkdir(parents=True)
    for name in STUDIES:
        (folder / f"{name}.yaml").write_text((ROOT / f"workflow/studies/{name}.yaml").read_text())

    def write(**overlays):
        for name, text in overlays.items():
            (folder / f"{name}.yaml").write_text(text)
        return tmp_path

    return write


def mistakes(root, study="mine"):
    with pytest.raises(ParamsError) as error:
        load(study, root)
    return str(error.value)


@pytest.mark.parametrize("study", ["digits", *STUDIES])
def test_a_study_that_changes_nothing_has_the_settings_of_its_base(project, study):
    root = project(mine=f"base: {study}\nstudy: {{threads: 1}}")

    mine, base = load("mine", root), load(study, root)

    assert mine.settings == base.settings and mine.folders == base.folders


def test_the_nearest_file_decides_and_the_others_fill_in(project):
    root = project(
        first="attacks: {pgd: {steps: 7, restarts: 2}, fgsm: {eps: 0.2}}\nstudy: {title: First}",
        second="base: first\nattacks: {pgd: {steps: 9}}",
        third="base: second\nstudy: {title: Third}",
    )

    study = load("third", root)

    assert (study["attacks"]["pgd"]["steps"], study["attacks"]["pgd"]["restarts"]) == (9, 2)
    assert study["attacks"]["fgsm"]["eps"] == 0.2
    assert study["study"]["title"] == "Third"


def test_a_base_may_be_a_path_and_may_start_from_nothing(project):
    alone = (ROOT / "tests/workflow/conftest.py").read_text().split('FEW = """')[1].split('"""')[0]
    root = project(few=alone, mine="base: workflow/studies/few.yaml\nexamples: {digits_test: {limit: 30}}")

    study = load("mine", root)

    assert study["examples"]["digits_test"]["limit"] == 30
    assert list(study["evaluations"]) == ["sheet"]
    assert study["classifiers"] == {}


def test_the_questions_of_the_base_are_kept_unless_the_study_lists_its_own(project):
    base = load("tiny", project())
    root = project(
        all_of_tiny="base: tiny\nstudy: {threads: 1}",
        without_one="base: tiny\nevaluations: {routing: null}",
        only_one="base: tiny\nquestions: [robustness]",
    )

    assert list(load("all_of_tiny", root)["evaluations"]) == list(base["evaluations"])
    assert set(base["evaluations"]) - set(load("without_one", root)["evaluations"]) == {"routing"}
    only = load("only_one", root)
    assert list(only["evaluations"]) == ["robustness"]
    assert "gan_unet" not in only["translators"]  # the base wrote it, and nothing reaches it any more


@pytest.mark.parametrize("papers", ["", "[]"])
def test_a_base_without_papers_leaves_them_to_the_study(project, papers):
    root = project(first=f"papers: {papers}\nquestions: []", mine="base: first\npapers: [fgsm]")

    evaluations = load("mine", root)["evaluations"]

    assert {entry["system"] for entry in evaluations.values()} == {"fgsm"}


def test_what_a_base_removed_can_come_back(project):
    change = "base: first\nattacks: {bim: {use: bim, eps: 0.1}}"
    root = project(first="attacks: {bim: null}", mine=change, plain="study: {threads: 1}")

    assert "bim" not in load("first", root)["attacks"]
    assert "bim" in load("mine", root)["attacks"]
    assert load("mine", root)["evaluations"] == load("plain", root)["evaluations"]


def test_an_unknown_base_names_the_nearest_study(project):
    error = mistakes(project(mine="study: {threads: 1}\nbase: fashion_mnits"))

    assert "mine.yaml:2: base: expected params, none or a study; no study called fashion_mnits" in error
    assert "Did you mean fashion_mnist?" in error
    assert "base: expected params, none or a study; got 3" in mistakes(project(mine="base: 3"))
    assert "no such study file: gone.yaml" in mistakes(project(mine="base: gone.yaml"))


def test_an_unknown_base_of_a_base_is_reported_in_its_file(project):
    error = mistakes(project(first="base: nowhere", mine="base: first"))

    assert "first.yaml:1: base: expected params, none or a study; no study called nowhere" in error


def test_a_circle_of_bases_is_reported(project):
    error = mistakes(project(first="base: second", second="base: mine", mine="base: first"))

    assert "second.yaml:1: base: mine starts from first starts from second starts from mine: a circle" in error
    assert "mine starts from mine: a circle" in mistakes(project(mine="base: mine"))


def test_a_mistake_that_a_base_makes_is_reported_in_its_file(project):
    error = mistakes(project(first="attacks: {pgd: {steps: many}}", mine="base: first\nattacks: {fgsm: {eps: 0.2}}"))

    assert "first.yaml:1: attacks.pgd.steps: expected int at least 1" in error

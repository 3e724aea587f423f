"""A run outside a clone begins with a copy of the study that it names, and only there."""

import shutil
from pathlib import Path

import pytest

from touchstone import plugins
from touchstone.pipeline.orchestration import shipped_studies
from touchstone.settings.study import load

ROOT = Path(__file__).parents[4]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_an_empty_folder_gets_the_study_and_the_defaults(folder):
    assert shipped_studies.copy_here("tiny") == [Path("params.yaml"), Path("workflow/studies/tiny.yaml")]

    assert load("tiny").settings == load("tiny", ROOT).settings
    assert shipped_studies.copy_here("tiny") == []


def test_what_is_there_stays(folder):
    shipped_studies.copy_here("tiny")
    Path("workflow/studies/tiny.yaml").write_text("title: Mine\n")

    assert shipped_studies.copy_here("tiny") == []
    assert shipped_studies.copy_here("digits") == [Path("workflow/studies/digits.yaml")]
    assert Path("workflow/studies/tiny.yaml").read_text() == "title: Mine\n"


def test_a_study_comes_with_its_base(folder):
    new = shipped_studies.copy_here("fashion_mnist_multiverse")

    assert Path("workflow/studies/fashion_mnist.yaml") in new


@pytest.mark.parametrize("study", ["nothing", "mine.yaml", "../studies/tiny", "/tiny"])
def test_only_names_of_shipped_studies_are_copied(folder, study):
    assert shipped_studies.copy_here(study) == [] and list(folder.iterdir()) == []


def test_a_folder_with_other_files_stays_as_it_is(folder):
    Path("letter.txt").touch()

    assert shipped_studies.copy_here("tiny") == [] and [path.name for path in folder.iterdir()] == ["letter.txt"]


def test_a_folder_with_an_assay_has_studies_already(folder):
    for name in ("assay_cnn.yaml", "model.pt2", "results", "reports", "data"):
        Path(name).touch()

    assert shipped_studies.copy_here("tiny") == [Path("params.yaml"), Path("workflow/studies/tiny.yaml")]


def test_without_a_clone_the_workflow_is_that_of_the_installed_package(folder, monkeypatch):
    installed = folder / "share/touchstone/workflow/Snakefile"
    installed.parent.mkdir(parents=True)
    shutil.copy(ROOT / "workflow/Snakefile", installed)
    (folder / "lib/python/touchstone_robustness-1.dist-info").mkdir(parents=True)
    about = folder / "lib/python/touchstone_robustness-1.dist-info"
    (about / "METADATA").write_text("Name: touchstone-robustness\nVersion: 1\n")
    (about / "RECORD").write_text("../../share/touchstone/workflow/Snakefile,,\n")
    monkeypatch.setattr(plugins, "PACKAGE", folder / "lib/python/touchstone")
    monkeypatch.setattr("sys.path", [str(folder / "lib/python")])

    assert shipped_studies.workflow_folder() == installed.parent

    (about / "RECORD").write_text("")
    with pytest.raises(ValueError, match=r"install the release's wheel again: .* FILE\.whl$"):
        shipped_studies.workflow_folder()

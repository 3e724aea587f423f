"""A study from a notebook: of the project around, else of the clone."""

from pathlib import Path

import pytest

from projects import write_study
from touchstone.api import studies
from touchstone.api.studies import load_study
from touchstone.settings.files import ParamsError

ROOT = Path(__file__).parents[3]


def test_a_shipped_study_is_found_outside_a_project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    study = load_study("tiny")

    assert study.name == "tiny" and study["attacks"]
    assert list(tmp_path.iterdir()) == []


def test_the_project_around_the_current_folder_comes_first(tmp_path, monkeypatch):
    inner = tmp_path / "notebooks" / "deep"
    inner.mkdir(parents=True)
    write_study(tmp_path, "digits")
    (tmp_path / "params.yaml").write_text("scale: {epocs: 3}\n")
    monkeypatch.chdir(inner)

    with pytest.raises(ParamsError, match=r"params\.yaml:1: scale\.epocs: .*Did you mean epochs\?"):
        load_study()
    assert load_study("tiny", folder=ROOT).name == "tiny"


def test_without_a_project_it_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(studies, "CLONE", tmp_path)

    with pytest.raises(ParamsError, match="change to a clone of touchstone, or give its path as folder"):
        load_study()


def test_a_wrong_name_brings_the_nearest():
    with pytest.raises(ParamsError, match=r"Did you mean fashion_mnist\?"):
        load_study("fashion_mist", folder=ROOT)

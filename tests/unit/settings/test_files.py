"""A settings file is read as UTF-8."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from touchstone.settings import files

ROOT = Path(__file__).parents[3]


def test_a_file_that_changed_is_read_anew(tmp_path):
    path = tmp_path / "params.yaml"
    for text in ("attacks: {pgd: {eps: 1}}", "attacks: {pgd: {eps: 2}}"):
        path.write_text(text)
        os.utime(path, (0, 0))  # as if both were written within one tick of the clock
        assert files.read_yaml(path) == {"attacks": {"pgd": {"eps": int(text[-3])}}}


def test_what_a_reader_does_to_the_content_is_its_own(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text("attacks: {pgd: &pgd {eps: 1}, again: *pgd}")

    first = files.read_yaml(path)
    first["attacks"]["pgd"]["eps"] = 2

    assert first["attacks"]["again"] is first["attacks"]["pgd"], "an alias stays one"
    assert files.read_yaml(path)["attacks"]["pgd"]["eps"] == 1


def test_a_study_may_lie_in_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    (tmp_path / "home/mine.yaml").write_text("title: Mine")

    assert files.study_file("~/mine.yaml", tmp_path / "clone") == tmp_path / "home/mine.yaml"
    for study in ("~/gone.yaml", "~nobody_of_this_name/mine.yaml"):
        with pytest.raises(files.ParamsError, match=f"no such study file: {study}"):
            files.study_file(study, tmp_path)


def test_settings_and_components_are_read_as_utf_8_whatever_the_locale():
    code = "from touchstone.settings.study import load; load('digits')"
    words = [sys.executable, "-X", "warn_default_encoding", "-c", code]

    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": "src"})

    assert done.returncode == 0, done.stderr
    assert "EncodingWarning" not in done.stderr

"""Files of settings from the time before 1.0 are answered with one sentence each."""

from pathlib import Path

import pytest

from touchstone import __version__
from touchstone.settings.files import ParamsError
from touchstone.settings.study import load

OLDER = "study: {title: Mine, epochs: 20}\nclassifiers: {ensemble: null}\nevaluations: {robustness: null}\nclaims: {A1: no}\n"
SENTENCE = (
    f":1: study: a block of files before touchstone 1.0, which {__version__} cannot read; write them again as"
    " docs/studies.md says, from a shipped one: touchstone run tiny writes params.yaml and a study into an empty folder"
)


def test_a_study_and_defaults_from_before_are_refused_in_one_sentence_each(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("params.yaml", "mine.yaml"):
        Path(name).write_text(OLDER)

    with pytest.raises(ParamsError) as error:
        load("./mine.yaml")

    assert sorted(str(error.value).splitlines()) == [f"mine.yaml{SENTENCE}", f"params.yaml{SENTENCE}"]

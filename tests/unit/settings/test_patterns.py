"""Entries that differ in one word, written once."""

from __future__ import annotations

from pathlib import Path

import pytest

from touchstone.settings.files import ParamsError
from touchstone.settings.patterns import spelled_out
from touchstone.settings.problems import Problems


@pytest.fixture
def problems():
    return Problems(Path("params.yaml"))


def test_the_word_takes_the_place_of_the_star_in_the_name_and_in_every_text(problems):
    pattern = {
        "each": ["blur", "noise"],
        "use": "corruption",
        "kind": "*",
        "notes": ["of *", {"in": "fit_*_set"}],
        "count": 3,
    }

    spelled, members = spelled_out({"examples": {"first": {"use": "digits"}, "fit_*_set": pattern}}, problems)

    assert spelled["examples"] == {
        "first": {"use": "digits"},
        "fit_blur_set": {"use": "corruption", "kind": "blur", "notes": ["of blur", {"in": "fit_blur_set"}], "count": 3},
        "fit_noise_set": {
            "use": "corruption",
            "kind": "noise",
            "notes": ["of noise", {"in": "fit_noise_set"}],
            "count": 3,
        },
    }
    assert members == {"fit_*_set": ["fit_blur_set", "fit_noise_set"]}
    problems.stop()


def test_a_number_stays_a_number_where_it_stands_by_itself(problems):
    spelled, _ = spelled_out({"classifiers": {"net_*": {"each": [0, 1], "seeds": ["*"], "train": "set_*"}}}, problems)

    assert spelled["classifiers"]["net_1"] == {"seeds": [1], "train": "set_1"}


def test_families_of_eps_and_other_sections_stay_as_they_are(problems):
    sections = {"attacks": {"pgd_*": {"use": "pgd", "eps": [0.1, 0.2]}}, "study": None}

    assert spelled_out(sections, problems) == (sections, {})


@pytest.mark.parametrize(
    ("name", "words", "message"),
    [
        ("fit", ["blur"], "has one * in its name"),
        ("*_*", ["blur"], "has one * in its name"),
        ("fit_*", "blur", "expected a list of words"),
        ("fit_*", [], "expected a list of words"),
        ("fit_*", [0.5], "expected a list of words"),
        ("fit_*", [1, "1"], "names a word twice"),
    ],
)
def test_mistakes_are_told(problems, name, words, message):
    spelled_out({"examples": {name: {"each": words}}}, problems)

    with pytest.raises(ParamsError, match=message.replace("*", r"\*")):
        problems.stop()

"""A report tells what each name of the study stands for."""

import re
from pathlib import Path

import pytest

from touchstone import training
from touchstone.report.names import SECTIONS, TRAINED, called, label_of, who_is_who, words
from touchstone.settings.study import load

STUDY = {
    "examples": {"digits_test": {"use": "data/digits", "part": "test", "limit": None}},
    "classifiers": {
        "cnn_pgd": {
            "use": "training/adversarial",
            "model": {"use": "models/small_cnn", "dropout": 0.0},
            "attack": {"use": "attacks/pgd", "eps": 0.1, "steps": 7, "step_size": None},
            "seeds": [0, 1, 2],
            "outliers": [],
            "amsgrad": True,
        }
    },
    "detectors": {},
}


def test_a_name_stands_with_its_component_and_what_is_set():
    sections = who_is_who(STUDY, {})

    assert list(sections) == ["Data sets", "Networks"]
    assert sections["Data sets"][0] == ("digits_test", "digits", "part test", "")
    assert sections["Networks"][0].settings == (
        "model small_cnn (dropout 0), attack pgd (eps 0.1, steps 7), seeds 0 1 2, amsgrad yes"
    )


def test_every_entry_of_a_real_study_is_there():
    settings = load("digits").settings

    sections = who_is_who(settings, {})

    assert {name.name for names in sections.values() for name in names} == {
        name for section in SECTIONS for name in settings[section]
    }
    assert all(name.use and name.settings is not None for title, names in sections.items() if "Defences" not in title for name in names)  # fmt: skip


def test_a_component_is_told_by_the_first_sentence_of_what_it_gives():
    sections = who_is_who(STUDY, {"data/digits": "Return handwritten digits. Each is 8x8."})

    assert sections["Data sets"][0].about == "handwritten digits"


@pytest.mark.parametrize(
    ("use", "summary", "about"),
    [
        ("training/clean", "Return the mean cross-entropy of the batch.", "a network trained on clean images"),
        ("training/adversarial", "Train on attacked images. More.", "a network trained on attacked images"),
        ("training/translation", "Train a translator to undo an attack.", "Train a translator to undo an attack."),
        ("training/clean", "", ""),
    ],
)
def test_training_gives_a_network_and_not_its_loss(use, summary, about):
    (name,) = who_is_who({"classifiers": {"cnn": {"use": use}}}, {use: summary})["Networks"]

    assert name.about == about


def test_every_training_that_gives_a_network_says_so():
    folder = Path(training.__file__).parent
    losses = [
        path.stem
        for path in folder.glob("[a-z]*.py")
        if re.search(rf'def {path.stem}\([^"]*"""Return', path.read_text())
    ]

    assert {f"training/{name}" for name in losses} == TRAINED.keys()


def test_figures_call_an_entry_by_its_words_within_the_block_and_short_in_a_label():
    with words({"cnn_pgd": "the PGD-trained CNN"}):
        assert (called("cnn_pgd"), label_of("cnn_pgd")) == ("the PGD-trained CNN", "PGD-trained CNN")
    assert called("cnn_pgd") == "cnn pgd"

"""The line of the study that leaves too little is told before that of a paper, which takes what it always does."""

import pytest

from touchstone.settings import limits, set_checks


def test_a_set_of_too_few_images_is_told_at_the_studys_own_limit():
    examples = {
        "held_out": {
            "use": "data/digits",
            "source": "digits",
            "of": None,
            "part": "calibration",
            "limit": 1,
            "size": 28,
        },
        "few": {"use": "data/subset", "of": "held_out", "count": 10},
    }
    resolved = {"examples": examples, "sources": {"digits": {"use": "sources/sklearn_digits"}}}

    ((place, reason),) = set_checks._rows(resolved, lambda place: place[1] == "held_out")
    assert place == ("examples", "held_out", "limit")
    assert reason.startswith("leaves 1, and few takes 10 of them")

    ((place, _),) = set_checks._rows(resolved, lambda place: True)
    assert place == ("examples", "few", "count")


def test_too_many_files_are_told_at_the_studys_own_seeds():
    question = {
        key: [] for key in ("attacks", "attacked", "victims", "translators", "detectors", "margins", "certificates")
    }
    question |= {"classifiers": ["net"], "examples": ["test"]}
    resolved = {
        "classifiers": {"net": {"seeds": range(limits.CELLS + 1)}},
        "defences": {},
        "attacks": {},
        "evaluations": {"accuracy": question},
    }
    seeds = ("classifiers", "defaults", "seeds")

    ((place, reason),) = limits.sizes(resolved, lambda place: place == seeds)
    assert place == seeds
    assert "evaluations.accuracy make 100,001 files" in reason

    for own in (set(), {seeds, ("evaluations", "accuracy")}):
        assert [place for place, _ in limits.sizes(resolved, own.__contains__)] == [("evaluations", "accuracy")]


@pytest.mark.parametrize(
    ("shown", "reason"),
    [
        ("test", ""),
        (
            "nine",
            "test has class 9, which nine lacks, so their classes would be split otherwise; let both have the same",
        ),
    ],
)
def test_images_of_unknown_classes_have_the_classes_that_were_split(shown, reason):
    test = {"use": "data/digits", "source": "digits", "of": None, "part": "test", "limit": None, "size": 8}
    known = {"use": "data/class_split", "of": "test", "split": 0, "part": "known", "known": 6, "seen": 4}
    nine = {"use": "data/held_out_classes", "of": "test", "classes": [9], "keep": False}
    resolved = {
        "examples": {"test": test, "known": known, "nine": nine},
        "sources": {"digits": {"use": "sources/sklearn_digits"}},
        "classifiers": {"net": {"train": "known"}},
        "evaluations": {"open": {"use": "evaluations/open_set", "networks": ["net"], "examples": [shown]}},
    }

    assert [problem.message.startswith(reason) for problem in set_checks._splits(resolved)] == [True] * bool(reason)

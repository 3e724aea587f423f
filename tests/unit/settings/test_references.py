import pytest

from touchstone.settings.references import expand_all, reached_from, unused, wrong_names, wrong_words
from touchstone.settings.sections import Entry, Reference, Section

KINDS = {
    "examples": Section(("data",), references={"of": Reference(("examples",))}),
    "detectors": Section(("detectors",), names={"label": ("confounding",)}),
    "evaluations": Section(
        ("evaluations",),
        references={
            "examples": Reference(("examples",), many=True),
            "scorers": Reference(("examples", "detectors"), many=True, everything=("detectors",)),
        },
        names={"against": ("detectors",), "sets": ("examples",)},
    ),
}


@pytest.fixture
def resolved():
    return {
        "examples": {"test": {"of": None}, "few": {"of": "test"}, "thresholds": {"of": None}},
        "detectors": {"knn": {}, "msp": {"label": "soft"}},
        "evaluations": {"one": {"examples": ["few"], "scorers": ["knn"]}},
        "figures": {},
        "confounding": {"soft": {}},
        "study": {
            "false_positive_rates": [0.05],
            "attacked_false_positive_rate": 0.05,
            "calibration": "thresholds",
            "absent": [],
        },
    }


def messages(problems):
    return [f"{'.'.join(place)}: {message}" for place, message in problems]


def test_all_means_the_entries_of_the_sections_or_of_those_that_it_stands_for(resolved):
    resolved["evaluations"]["one"] = {"examples": "all", "scorers": "all"}

    expand_all(resolved, KINDS)

    assert resolved["evaluations"]["one"] == {"examples": ["test", "few", "thresholds"], "scorers": ["knn", "msp"]}


def test_all_is_a_name_like_any_other_where_one_entry_is_named(resolved):
    resolved["examples"]["few"]["of"] = "all"

    expand_all(resolved, KINDS)

    assert messages(wrong_names(resolved, KINDS)) == ["examples.few.of: no entry called all in examples."]


def test_right_names_are_no_problem(resolved):
    assert messages(wrong_names(resolved, KINDS)) == []


def test_names_are_unique_and_lead_somewhere(resolved):
    resolved["detectors"]["test"] = {}
    resolved["examples"]["few"]["of"] = "tset"
    resolved["study"] |= {"calibration": "threshold", "attacked_false_positive_rate": 0.06}

    assert messages(wrong_names(resolved, KINDS)) == [
        "detectors.test: the name is taken by examples.test; names are unique in a study",
        "examples.few.of: no entry called tset in examples. Did you mean test?",
        "study.attacked_false_positive_rate: 0.06 is not among false_positive_rates [0.05]",
        "study.calibration: no example set called threshold. Did you mean thresholds?",
    ]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"against": ["knn", "mps"]}, "against: no entry called mps in detectors. Did you mean msp?"),
        ({"against": "tset"}, "against: no entry called tset in detectors."),
        ({"against": "/"}, "against: no entry called / in detectors."),
        ({"sets": ["tset/pgd"]}, "sets: no entry called tset in examples. Did you mean test?"),
        ({"sets": ["test/pdg"]}, "sets: no entry called pdg in classifiers or defences or translators or attacks or"),
        ({"sets": ["few/cnn+mps@0.05/pgd"]}, "sets: no entry called mps in classifiers or"),
        ({"sets": ["few/cnn+msp@0.05/pgd"]}, ""),
        ({"against": None, "sets": 0.5}, ""),
    ],
)
def test_a_setting_of_a_component_names_entries(resolved, setting, message):
    resolved |= {"classifiers": {"cnn": {}}, "defences": {}, "translators": {}, "attacks": {"pgd": {}}}
    resolved["evaluations"]["one"] |= setting

    reported = messages(wrong_words(resolved, KINDS))

    assert len(reported) == bool(message)
    assert not message or reported[0].startswith(f"evaluations.one.{message}")


def test_a_label_of_a_detector_leads_to_one(resolved):
    resolved["detectors"]["msp"]["label"] = "sotf"

    assert messages(wrong_words(resolved, KINDS)) == [
        "detectors.msp.label: no entry called sotf in confounding. Did you mean soft?"
    ]


def test_an_entry_that_no_evaluation_reaches_is_a_problem(resolved):
    assert [problem.place for problem in unused(resolved, KINDS)] == [("detectors", "msp")]

    resolved["study"]["absent"] = ["a source"]

    assert list(unused(resolved, KINDS)) == []


def test_what_an_evaluation_of_all_compares_with_stays(resolved):
    resolved["evaluations"]["one"] |= {"scorers": "all", "against": ["msp"]}

    reached = reached_from((), resolved, KINDS)

    assert Entry("detectors", "msp") in reached
    assert Entry("detectors", "knn") not in reached

import copy

import pytest

from touchstone.pipeline.settings.removals import absent_sources, unknown_sources, without_orphans, without_sources
from touchstone.pipeline.settings.sections import Entry, sections

BLOCKS = {
    "sources": {"near": {}, "far": {}},
    "examples": {"test": {"source": "near"}, "birds": {"source": "far"}, "few_birds": {"of": "birds"}},
    "evaluations": {
        "both": {"examples": ["test", "birds"]},
        "birds_only": {"examples": ["few_birds"]},
        "paired": {"examples": ["test"], "pairs": ["birds"]},
    },
    "figures": {"drawing": {"evaluation": "birds_only"}},
    "groups": {"unknown": ["birds", "few_birds"], "all": ["test", "birds"]},
}


def test_what_depends_on_a_source_leaves_with_it():
    blocks = copy.deepcopy(BLOCKS)

    gone = without_sources(blocks, sections(), ["far"])

    assert gone == {
        Entry("sources", "far"),
        Entry("examples", "birds"),
        Entry("examples", "few_birds"),
        Entry("evaluations", "birds_only"),
        Entry("evaluations", "paired"),
        Entry("figures", "drawing"),
    }
    assert blocks["evaluations"] == {"both": {"examples": ["test"]}}
    assert blocks["groups"] == {"all": ["test"]}


def test_without_absent_sources_nothing_changes():
    blocks = copy.deepcopy(BLOCKS)

    assert without_sources(blocks, sections(), []) == set()
    assert blocks == BLOCKS


@pytest.mark.parametrize("members", [["birds", ["nested"]], ["birds", {"a": 1}]])
def test_members_that_are_no_names_stay_for_the_checks(members):
    blocks = {"examples": {"birds": {}}, "groups": {"odd": members}}

    without_orphans(blocks, {Entry("examples", "birds")}, ())

    assert blocks["groups"] == {"odd": members[1:]}


@pytest.mark.parametrize("study", [None, {}, {"absent": "far"}, {"absent": [["far"]]}])
def test_only_a_list_of_names_names_absent_sources(study):
    assert absent_sources({"study": study}) == []


def test_an_unknown_absent_source_is_a_problem():
    (problem,) = unknown_sources({"study": {"absent": ["near", "fra"]}, "sources": BLOCKS["sources"]})

    assert problem.place == ("study", "absent")
    assert problem.message == "no source called fra. Did you mean far?"

import copy

import pytest

from touchstone.settings.removals import (
    absent_sources,
    figures_of,
    unknown_sources,
    without,
    without_unreached,
)
from touchstone.settings.sections import Entry, sections

BLOCKS = {
    "sources": {"near": {}, "far": {}},
    "examples": {"test": {"source": "near"}, "birds": {"source": "far"}, "few_birds": {"of": "birds"}},
    "evaluations": {
        "both": {"examples": ["test", "birds"]},
        "birds_only": {"examples": ["few_birds"]},
        "paired": {"examples": ["test"], "pairs": ["birds"]},
    },
    "figures": {"drawing": {"evaluation": "birds_only"}},
}


def test_what_depends_on_a_source_leaves_with_it():
    blocks = copy.deepcopy(BLOCKS)

    gone = without(blocks, sections(), {Entry("sources", "far")})

    assert gone == {
        Entry("sources", "far"),
        Entry("examples", "birds"),
        Entry("examples", "few_birds"),
        Entry("evaluations", "birds_only"),
        Entry("evaluations", "paired"),
        Entry("figures", "drawing"),
    }
    assert blocks["evaluations"] == {"both": {"examples": ["test"]}}


def test_without_absent_sources_nothing_changes():
    blocks = copy.deepcopy(BLOCKS)

    assert without(blocks, sections(), set()) == set()
    assert blocks == BLOCKS


def test_an_open_role_leaves_lists_and_takes_entries_that_need_it():
    blocks = {
        "examples": {"test": {"source": "near"}, "dark": {"of": "$test"}},
        "evaluations": {"both": {"examples": ["test", "$birds"], "question": "$birds"}, "dark": {"examples": ["dark"]}},
    }

    assert without(blocks, sections(), set()) == {Entry("examples", "dark"), Entry("evaluations", "dark")}
    assert blocks["evaluations"] == {"both": {"examples": ["test"], "question": "$birds"}}


def test_inherited_figures_leave_with_their_evaluation():
    figures = {
        "inherited": {"evaluation": "gone"},
        "own": {"evaluation": "gone"},
        "also": {"also": ["gone", "b", "of no paper here"]},
        "narrowed": {"evaluation": "b", "also": ["gone"], "entries": ["net", "only in gone"], "caption": "C"},
    }
    blocks = {"figures": figures, "evaluations": {"b": {"classifiers": ["net"]}}}

    gone = figures_of({Entry("evaluations", "gone")}, blocks, {Entry("figures", "own")}, {"entries", "classifier"})

    assert gone == {Entry("figures", "inherited")}
    assert blocks["figures"] == {
        "own": {"evaluation": "gone"},
        "also": {"also": ["b"]},
        "narrowed": {"evaluation": "b", "also": [], "entries": ["net"], "caption": "C"},
    }


def test_inherited_entries_that_nothing_reaches_are_dropped():
    kinds = sections()
    resolved = {section: {} for section in kinds} | {
        "study": {"calibration": "calibration"},
        "confounding": {"ones": {}},
    }
    resolved["examples"] = {
        name: {"of": of}
        for name, of in (("test", "whole"), ("whole", None), ("calibration", None), ("own", None), ("idle", None))
    }
    resolved["detectors"] = {"kept": {"label": None}, "idle_too": {"label": "ones"}}
    resolved["evaluations"] = {"asked": {"examples": ["test"], "detectors": ["kept"]}, "sheet": {"examples": "all"}}

    gone = without_unreached(resolved, kinds, {Entry("examples", "own")})

    assert gone == {Entry("examples", "idle"), Entry("detectors", "idle_too"), Entry("confounding", "ones")}
    assert resolved["examples"].keys() == {"test", "whole", "calibration", "own"}


@pytest.mark.parametrize("study", [None, {}, {"absent": "far"}, {"absent": [["far"]]}])
def test_only_a_list_of_names_names_absent_sources(study):
    assert absent_sources({"study": study}) == []


def test_an_unknown_absent_source_is_a_problem():
    (problem,) = unknown_sources({"study": {"absent": ["near", "fra"]}, "sources": BLOCKS["sources"]})

    assert problem.place == ("study", "absent")
    assert problem.message == "no source called fra. Did you mean far?"

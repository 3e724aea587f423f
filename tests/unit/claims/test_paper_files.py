"""What a claims.yaml may say of a claim, and that a mistake is told with its place."""

import re
from datetime import date

import pytest
from hand_made_claims import ROLES, ROWS, asks, book

from touchstone.claims import condition_files, contrast_files, paper_files
from touchstone.claims.criteria import Revision
from touchstone.evaluations.statistics import threats

FIGURE = {"setting": "s", "figure": "99%", "source": "s.1", "marks": ["P"]}
CHANGE = {"date": "2026-11-21", "was": "at least .9", "why": "too little", "known": True}


def read(figure=None, criterion=None, **paper):
    """Return the book of a paper with one figure and one criterion."""
    block = {"setting": "s", "criterion": "c", "roles": ROLES, "rows": ROWS} | (criterion or asks(at_least=0.8))
    content = {"name": "Paper", "published": {"P9-1": figure or FIGURE}, "criteria": {"S9-1": block}}
    return paper_files.book({"made": content | paper})


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ({"test": []}, "criteria.S9-1: the key test is not among"),
        ({}, "criteria.S9-1: needs tests: the numbers that it judges"),
        ({"tests": []}, "criteria.S9-1: needs tests"),
        (asks(at_leats=0.8), "Did you mean at_least?"),
        (asks(at_least=0.8, at_most=0.9), "compares by at_least and at_most"),
        (asks(entry="{nobody}"), "nobody is not among net, examples"),
        (asks() | {"scales": ["P9-2"]}, "scales: P9-2 is not among P9-1"),
        (asks() | {"broken_by": ["S9-2"]}, "broken_by: S9-2 is not among S9-1"),
        (asks() | {"rows": {"metric": "auroc"}}, "evaluation is missing; add it here"),
        (asks() | {"roles": ROLES | {"net": "every classifiers"}}, "every is not among each, mean"),
        (asks() | {"kind": "against"}, "kind: against is not among paper, counter, check, context"),
        (asks() | {"paper_scale": True}, "criteria.S9-1.paper_scale: expected figures, each with the paper's data"),
        (asks(between=[0.9, 0.1]), "tests.0.between: expected two ends, [lowest, highest], got [0.9, 0.1]; swap them"),
        (asks(between={"digits": [0.9, 0.1]}), "tests.0.between.digits: expected two ends, [lowest, highest]"),
        (asks(between=[0, float("inf")]), "tests.0.between: expected a finite number, got inf"),
        (asks(at_least=float("nan")), "tests.0.at_least: expected a finite number, got nan"),
        (asks(at_least=10**400), "tests.0.at_least: expected a finite number"),
        (asks(at_least={}), "tests.0.at_least: expected a bound, or one for each data set"),
        (asks(equals=1, tolerance=-0.1), "tests.0.tolerance: expected a number of at least 0, got -0.1"),
        (asks(at_least=0.8, distance=-1), "tests.0.distance: expected a number of at least 0, got -1"),
        (asks(at_least=0.8, consequence=3), "tests.0.consequence: expected text"),
        (asks(optional="no"), "tests.0.optional: expected true or false, got 'no'"),
        (asks() | {"rows": ROWS | {"optional": 1}}, "tests.0.optional: expected true or false, got 1"),
        (asks(threat={"epss": 0.1}), "tests.0.threat: the key epss is not among eps, steps, step_size, restarts"),
        (asks(threat={"step_sise": 0.1}), "Did you mean step_size?"),
        (asks() | {"met": "confirmd"}, "met: confirmd is not among confirmed, true by construction. Did you mean"),
        (asks() | {"met": ""}, "S9-1.met: is not among confirmed, true by construction"),
        (asks() | {"fixed": "not run"}, "the key fixed is not among"),
        (asks(minus={"entry": "mlp"}), "the key minus is not among"),
        (asks(no_effect="half"), "tests.0.no_effect: expected a number"),
        (asks(distance="far"), "tests.0.distance: expected a number"),
        (asks() | {"revised": CHANGE}, "criteria.S9-1.revised: expected a list"),
        (asks() | {"revised": [{**CHANGE, "who": "us"}]}, "revised.0: the key who is not among date, was, why, known"),
        (asks() | {"revised": [{**CHANGE, "known": "yes"}]}, "revised.0.known: expected true or false"),
        (asks() | {"says": "it is {1}"}, "says: the number 1 is not among 0"),
        (asks() | {"says": "it is {breaks}"}, "says: the number breaks is not among 0"),
        (
            asks() | {"says": "it is {0.__init__}"},
            "S9-1.says: braces hold one name, such as {net} or {0}, got it is {0.",
        ),
        (asks() | {"says": "it is {0:{0.__init__.__globals__}}"}, "S9-1.says: braces hold one name"),
        (asks() | {"says": "it is {0!r}"}, "S9-1.says: braces hold one name"),
        (asks() | {"says": "it is {}"}, "S9-1.says: braces hold one name"),
        (asks(entry="{net.__class__}"), "S9-1.tests.0.entry: braces hold one name"),
        (asks(metric="auroc_{net:>9}"), "S9-1.tests.0.metric: braces hold one name"),
        (asks(examples=["digits"]), "S9-1.tests.0.examples: expected text, got ['digits']"),
        (asks(stuck={"metric": "no_gradient_{nobody}"}), "nobody is not among net, examples"),
        (asks(tests=[3.5]) | {"kind": 3.5}, "kind: 3.5 is not among paper, counter, check, context"),
    ],
)
def test_a_mistake_in_the_claims_is_told_with_its_place(block, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        book(S9_1=block)


@pytest.mark.parametrize("of", ["S9-2", ["S9-1"], 3, {}, None])
def test_a_contrast_of_no_criterion_is_told(of):
    facts = {"criteria": {"S9-1": asks(at_least=0.8)}}
    contrast = {"of": of, "shows": "AUROC", "unaware": {}, "aware": {}}

    (mistake,) = contrast_files.mistakes(facts | {"contrast": contrast})

    assert str(mistake) == f"contrast.of: {of} is no criterion of this paper"


def test_a_criterion_and_what_breaks_it_name_what_is_attacked_by_one_role():
    """The roles that both have tell whether both are about the same network."""
    rows, roles = ROWS | {"entry": "{robust}"}, {"robust": "classifiers", "examples": "examples"}
    attack = asks(at_least=0.8) | {"rows": rows, "roles": roles}
    words = (
        "S9-1.broken_by: S9-2 attacks robust, but this criterion is about net. Give what both are about the same role"
    )

    with pytest.raises(ValueError, match=re.escape(words)):
        book(S9_1=asks(at_least=0.8) | {"broken_by": ["S9-2"]}, S9_2=attack)

    both = attack | {"roles": roles | {"net": "classifiers"}}
    assert book(S9_1=asks(at_least=0.8) | {"broken_by": ["S9-2"]}, S9_2=both).criteria["S9-1"].broken_by == ("S9-2",)


@pytest.mark.parametrize("key", CHANGE)
def test_a_change_of_a_criterion_says_when_what_why_and_whether_an_outcome_was_known(key):
    lacking = {name: value for name, value in CHANGE.items() if name != key}

    with pytest.raises(ValueError, match=f"revised.0: {key} is missing"):
        read(criterion=asks() | {"revised": [lacking]})


@pytest.mark.parametrize("limits", ["one sentence", [1], [""]])
def test_limits_are_a_list_of_sentences(limits):
    facts = {"name": "Paper", "cite": "c", "url": "https://example.org", "limits": limits}

    assert [str(mistake) for mistake in paper_files.mistakes(facts)] == ["limits: expected a list of sentences"]


def test_a_threat_may_state_each_number_that_the_threat_model_of_a_row_states():
    assert set(condition_files.THREAT) == set(threats.STATED) - {"target"}  # a target is a word

    [test] = read(criterion=asks(threat=dict.fromkeys(condition_files.THREAT, 1))).criteria["S9-1"].tests

    assert dict(test.rows.threat).keys() == set(condition_files.THREAT)


def test_the_ends_of_a_bound_may_be_equal():
    assert read(criterion=asks(between=[0.5, 0.5])).criteria["S9-1"].tests[0].bounds == (0.5, 0.5)


def test_changes_are_read_oldest_first_and_those_of_one_day_in_the_order_of_the_file():
    later = CHANGE | {"date": "2026-11-25", "was": "the same, above .96"}
    changes = [later, CHANGE, CHANGE | {"was": "at least .95", "known": False}]

    revised = read(criterion=asks() | {"revised": changes}).criteria["S9-1"].revised

    assert revised == (
        Revision("2026-11-21", "at least .9", "too little", True),
        Revision("2026-11-21", "at least .95", "too little", False),
        Revision("2026-11-25", "the same, above .96", "too little", True),
    )


def test_a_date_that_yaml_reads_as_a_date_is_read_as_its_text():
    revised = read(criterion=asks() | {"revised": [CHANGE | {"date": date(2026, 11, 21)}]}).criteria["S9-1"].revised

    assert [change.date for change in revised] == ["2026-11-21"]


@pytest.mark.parametrize("wrong", ["21.11.2026", "2026-11", "2026-11-31", 2026])
def test_a_change_without_a_date_that_sorts_is_refused(wrong):
    message = f"criteria.S9-1.revised.0.date: expected a date such as 2026-11-21, got {wrong}"
    with pytest.raises(ValueError, match=re.escape(message)):
        read(criterion=asks() | {"revised": [CHANGE | {"date": wrong}]})


def test_a_figure_may_say_why_nothing_measures_it_but_not_in_no_words():
    assert read(FIGURE | {"unmeasured": "no such network"}).published["P9-1"].unmeasured == "no such network"
    assert read().published["P9-1"].unmeasured == ""
    with pytest.raises(ValueError, match=re.escape("published.P9-1.unmeasured: must be given, as text")):
        read(FIGURE | {"unmeasured": " "})


def test_a_distance_is_the_numbers_own_else_its_criterions_else_the_papers():
    def distance(number=None, criterion=None, **paper):
        block = asks(**number or {}) | {"rows": ROWS | (criterion or {})}
        return read(criterion=block, **paper).criteria["S9-1"].tests[0].distance

    assert distance({"distance": 0.01}, {"distance": 0.02}, distance=0.03) == 0.01
    assert distance({}, {"distance": 0.02}, distance=0.03) == 0.02
    assert distance(distance=0.03) == 0.03
    assert distance() == paper_files.DISTANCE


@pytest.mark.parametrize(
    ("rows", "paper", "distance"),
    [({}, {}, 0.05), ({}, {"distance": 0.03}, 0.03), ({"distance": 0.02}, {"distance": 0.03}, 0.02)],
)
def test_what_a_criterion_needs_and_what_breaks_it_inherit_the_distance(rows, paper, distance):
    other = {"name": "other", "metric": "other", "above": 0.5}
    block = asks(at_least=0.8) | {"rows": ROWS | rows, "needs": [other], "breaks": other}

    criterion = read(criterion=block, **paper).criteria["S9-1"]

    assert criterion.breaks.distance == criterion.needs[0].distance == distance
    assert read(criterion=block | {"breaks": other | {"distance": 0.01}}).criteria["S9-1"].breaks.distance == 0.01


def test_what_a_criterion_needs_and_what_breaks_it_inherit_no_bound_and_no_direction():
    inherited = ROWS | {"at_least": 0.8, "no_effect": 0.5, "optional": True}
    other = {"name": "other", "metric": "other"}
    block = {"rows": inherited, "tests": [{"name": "own"}], "needs": [other], "breaks": other | {"above": 0.5}}

    criterion = read(criterion=block).criteria["S9-1"]

    (own,), (need,), breaks = criterion.tests, criterion.needs, criterion.breaks
    assert (own.comparison, own.bounds, own.no_effect, own.optional) == ("at_least", 0.8, 0.5, True)
    assert (need.comparison, need.bounds, need.no_effect, need.optional) == ("", None, None, False)
    assert (breaks.comparison, breaks.bounds, breaks.no_effect, breaks.optional) == ("above", 0.5, None, False)


def test_a_check_of_a_stuck_attack_inherits_the_rows_and_not_the_bound():
    test = asks(at_least=0.8, no_effect=0.5, threat={"eps": 0.1}, stuck={"metric": "no_gradient", "at_most": 0.05})

    [stuck] = read(criterion=test).criteria["S9-1"].tests[0].stuck

    assert (stuck.rows.metric, stuck.rows.entry, stuck.rows.threat) == ("no_gradient", "{net}", (("eps", 0.1),))
    assert (stuck.comparison, stuck.bounds, stuck.no_effect) == ("at_most", 0.05, None)

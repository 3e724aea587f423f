"""What a claims.yaml may say of a claim, and that a mistake is told with its place."""

import re
from datetime import date

import pytest
from hand_made_claims import ORIGIN, ROLES, ROWS, asks, book, usual

from touchstone.claims import condition_files, contrast_files, paper_files
from touchstone.claims.criteria import Revision
from touchstone.evaluations.statistics import threats

FIGURE = {"setting": "s", "figure": "99%", "source": "s.1", "marks": ["P"]}
CHANGE = {"date": "2026-11-21", "was": "at least .9", "why": "too little", "known": True}


def read(figure=None, criterion=None, **paper):
    """Return the book of a paper with one figure and one criterion."""
    block = criterion or asks(at_least=0.8)
    block = usual(block) | block
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
        (asks(at_least=0.8) | {"broken_by": ["S9-2"]}, "broken_by: S9-2 is not among S9-1"),
        (asks() | {"rows": {"metric": "auroc"}}, "evaluation is missing; add it here"),
        (asks() | {"roles": ROLES | {"net": "every classifiers"}}, "every is not among each, mean"),
        (asks() | {"kind": "against"}, "kind: against is not among claim, counter, number"),
        (asks() | {"kind": "check"}, "kind: check is not among claim, counter, number"),
        (asks() | {"paper_scale": {}}, "criteria.S9-1: the key paper_scale is not among"),
        (asks(between=[0.9, 0.1]), "tests.0.between: expected two ends, [lowest, highest], got [0.9, 0.1]; swap them"),
        (asks(between={"digits": [0.1, 0.9]}), "tests.0.between: expected two ends, [lowest, highest]"),
        (asks(between=[0, float("inf")]), "tests.0.between: expected a finite number, got inf"),
        (asks(at_least=float("nan")), "tests.0.at_least: expected a finite number, got nan"),
        (asks(at_least=10**400), "tests.0.at_least: expected a finite number"),
        (asks(at_least={"digits": 0.8}), "tests.0.at_least: expected a number, got {'digits': 0.8}"),
        (asks(at_most=-5), "tests.0.at_most: clean_accuracy lies between -1 and 1, got -5; write 5 % as 0.05"),
        (asks(between=[0.1, 90]), "tests.0.between: clean_accuracy lies between -1 and 1, got 90"),
        (asks(at_least=0.8, distance=5), "tests.0.distance: clean_accuracy lies between -1 and 1, got 5"),
        (asks(metric="auroc", at_most=1), "tests.0.at_most: every auroc is at most 1, so the claim could not fail"),
        (
            asks(at_least=0.8) | {"broken_by": ["S9-1"]},
            "broken_by: S9-1 has no breaks: and would be broken if it holds",
        ),
        (asks(at_least=0.8) | {"says": "It works."}, "says: names no number, such as {0}"),
        (asks(at_least=None), "tests.0.at_least: expected a number, got None"),
        (asks(equals=1, tolerance=-0.1), "tests.0.tolerance: expected a number of at least 0, got -0.1"),
        (asks(at_least=0.8, distance=-1), "tests.0.distance: expected a number of at least 0, got -1"),
        (asks(at_least=0.8, consequence=3), "tests.0.consequence: expected text"),
        (asks(optional="no"), "tests.0.optional: expected true or false, got 'no'"),
        (asks() | {"rows": ROWS | {"optional": 1}}, "tests.0.optional: expected true or false, got 1"),
        (asks(threat={"epss": 0.1}), "tests.0.threat: the key epss is not among eps, steps, step_size, restarts"),
        (asks(threat={"step_sise": 0.1}), "Did you mean step_size?"),
        (asks() | {"met": "holds"}, "the key met is not among"),
        (asks() | {"otherwise": "a label"}, "the key otherwise is not among"),
        (asks() | {"fixed": "not run"}, "the key fixed is not among"),
        (asks(minus={"entry": "mlp"}), "the key minus is not among"),
        (asks(no_effect=0.5), "tests.0: the key no_effect is not among"),
        (asks(certified={"metric": "m"}), "tests.0: the key certified is not among"),
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
        (asks(stuck={"metric": "no_gradient_{nobody}", "at_most": 0.05}), "nobody is not among net, examples"),
        (asks(stuck={"metric": "no_gradient"}), "S9-1.tests.0.stuck: needs a bound: one of at_least, at_most,"),
        (asks(at_least=0.8) | {"needs": [{"name": "n"}]}, "S9-1.needs.0: needs a bound: one of at_least, at_most,"),
        (asks() | {"needs": [{"name": "n"}]}, "S9-1.needs.0: needs a bound"),
        (asks(at_least=0.8) | {"survives_if": [{"name": "n"}]}, "S9-1.survives_if.0: needs a bound"),
        (asks(at_least=0.8) | {"breaks": {"name": "n"}}, "S9-1.breaks: needs a bound: one of at_least, at_most,"),
        (asks(tests=[3.5]) | {"kind": 3.5}, "kind: 3.5 is not among claim, counter, number"),
    ],
)
def test_a_mistake_in_the_claims_is_told_with_its_place(block, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        book(S9_1=block)


@pytest.mark.parametrize("of", ["S9-2", 3, {}, None])
def test_a_contrast_of_no_criterion_is_told(of):
    facts = {"criteria": {"S9-1": asks(at_least=0.8)}}
    contrast = {"of": of, "shows": "AUROC", "unaware": {}, "aware": {}}

    (mistake,) = contrast_files.mistakes(facts | {"contrast": contrast})

    assert str(mistake).startswith(f"contrast.of: the criterion {of} is not among S9-1.")


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
    assert mistakes(limits=limits) == ["limits: expected a list of sentences"]


def mistakes(**more):
    """Return what is wrong with a paper that has these keys besides those that it needs."""
    facts = {"name": "Paper", "cite": "c", "url": "https://example.org", "unfair": ["Clothes, not photographs."]} | more
    return [str(mistake) for mistake in paper_files.mistakes(facts)]


def test_the_answers_of_a_paper_are_a_list_of_its_criteria():
    own = {"criteria": {"M1": usual(asks()) | asks()}}

    assert mistakes(answers="M1", **own) == ["answers: expected a list of criteria, such as [M1], got 'M1'"]
    assert mistakes(answers=["M2"], **own) == ["answers: M2 is no criterion of this paper"]
    assert mistakes(answers=["M1"], opening=["M1"], **own) == []
    assert mistakes(opening=["M2"], **own) == ["opening: M2 is no criterion of this paper"]


def test_other_works_are_cited_with_their_address():
    work = {"cite": "Lee. Open sets. 2022.", "url": "https://example.org/2"}

    assert mistakes(other_works=[work]) == []
    assert mistakes(other_works=work) == [f"other_works: expected a list of {{cite: ..., url: ...}}, got {work}"]
    (mistake,) = mistakes(other_works=[{"cite": "Lee."}])
    assert mistake.startswith("other_works.0") and "url" in mistake


@pytest.mark.parametrize("roles", [None, ["net"]])
def test_a_contrast_of_a_criterion_whose_roles_are_no_block_is_told(roles):
    contrast = {"of": "S9-1", "shows": "AUROC", "unaware": {}, "aware": {}}

    (mistake,) = contrast_files.mistakes({"criteria": {"S9-1": {"roles": roles}}, "contrast": contrast})

    assert str(mistake) == "criteria.S9-1.roles: expected a block of keys"


@pytest.mark.parametrize(
    ("unfair", "words"),
    [
        ([], "unfair: must be given: a list of what the authors would call unfair about this test"),
        ("one sentence", "unfair: expected a list of sentences"),
        ([" "], "unfair: expected a list of sentences"),
    ],
)
def test_a_paper_says_what_its_authors_would_call_unfair(unfair, words):
    assert mistakes(unfair=unfair) == [words]
    assert mistakes() == []


@pytest.mark.parametrize(
    ("fixed", "words"),
    [
        ("a0c52627", "fixed: expected a block of keys"),
        ({"commit": "a0c52627"}, "fixed: date is missing; add it"),
        ({"commit": "latest", "date": "2026-11-29"}, "fixed.commit: expected the hash of a commit, got latest"),
        ({"commit": "a0c52627", "date": "today"}, "fixed.date: expected a date such as 2026-11-21, got today"),
    ],
)
def test_a_paper_may_say_which_commit_fixed_its_bounds(fixed, words):
    (mistake,) = mistakes(fixed=fixed)

    assert mistake.startswith(words)
    assert mistakes(fixed={"commit": "a0c52627", "date": "2026-11-29"}) == []


# --- where a bound comes from -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ({"kind": "claim"}, "criteria.S9-1.tests: none of its numbers has a bound; add one, or make it a number"),
        ({"kind": "counter"}, "criteria.S9-1.tests: none of its numbers has a bound"),
        ({"kind": "number", "bound": ORIGIN}, "criteria.S9-1.bound: a number has no bound; remove it"),
        ({"kind": "number", "broken_by": ["S9-1"]}, "criteria.S9-1.broken_by: a number has no verdict"),
        ({"kind": "number", "survives_if": asks(at_most=0)["tests"]}, "criteria.S9-1.survives_if: a number has no"),
    ],
)
def test_a_claim_has_a_bound_and_a_number_has_none(block, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        book(S9_1=asks() | block)


@pytest.mark.parametrize("kind", ["claim", "counter"])
def test_a_claim_says_where_its_bound_comes_from(kind):
    with pytest.raises(
        ValueError, match=re.escape("criteria.S9-1: bound is missing: where it comes from, {from: figure")
    ):
        paper_files.book({"made": {"name": "P", "criteria": {"S9-1": without_origin(kind)}}})


def without_origin(kind):
    block = usual(asks()) | asks(at_least=0.8) | {"kind": kind}
    return {key: value for key, value in block.items() if key != "bound"}


def test_a_number_with_a_comparison_is_refused_by_its_key():
    words = "criteria.S9-1.tests.0.at_least: a number has no bound; remove at_least, or make it a claim"
    with pytest.raises(ValueError, match=re.escape(words)):
        paper_files.book({"made": {"name": "P", "criteria": {"S9-1": without_origin("number")}}})


@pytest.mark.parametrize(
    ("bound", "words"),
    [
        ("half", "S9-1.bound: expected a block of keys"),
        ({"from": "half"}, "S9-1.bound: source is missing; add it"),
        ({"source": "Table 1"}, "S9-1.bound: from is missing; add it"),
        ({"from": "halves", "source": "s"}, "S9-1.bound.from: halves is not among figure, half, midpoint, direction"),
        ({"from": "half", "source": " "}, "S9-1.bound.source: must be given, as text"),
        ({"from": "half", "source": "s", "known": "yes"}, "S9-1.bound.known: expected true or false"),
    ],
)
def test_a_bound_comes_from_a_figure_that_was_read_or_from_a_reason(bound, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        book(S9_1=asks(at_least=0.8) | {"bound": bound})


def test_the_origin_of_a_bound_in_words_says_that_an_outcome_was_known():
    bound = {"from": "midpoint", "source": ".82 and .28, Table 1"}

    new, old = (read(criterion=asks(at_least=0.5) | {"bound": bound | {"known": known}}) for known in (False, True))

    words = "the midpoint of two figures of the paper: .82 and .28, Table 1"
    assert str(new.criteria["S9-1"].origin) == words
    assert str(old.criteria["S9-1"].origin) == f"{words}; the outcome was known when it was fixed"


def test_a_condition_for_surviving_needs_a_bound_and_inherits_none():
    inherited, other = ROWS | {"at_least": 0.8}, {"name": "other", "metric": "other"}
    block = {"rows": inherited, "tests": [{"name": "own"}], "bound": ORIGIN}

    (condition,) = read(criterion=block | {"survives_if": [other | {"at_most": 0.005}]}).criteria["S9-1"].survives_if

    assert (condition.comparison, condition.bound, condition.rows.entry) == ("at_most", 0.005, "{net}")
    with pytest.raises(ValueError, match=re.escape("criteria.S9-1.survives_if.0: needs a bound: one of at_least")):
        read(criterion=block | {"survives_if": [other]})


# --- ids ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["G1", "T6", "M11", "Sebo-1", "Energy1"])
def test_an_id_is_a_capital_letter_and_a_number(name):
    assert mistakes(criteria={name: usual(asks()) | asks()}) == []


@pytest.mark.parametrize("name", ["g1", "P1", "P1-1", "G", "G-", "1"])
def test_another_id_is_refused(name):
    words = f"criteria.{name}: an id is a capital letter, not P, letters or digits, a number: M1 or Mypaper-1"
    assert mistakes(criteria={name: usual(asks()) | asks()}) == [words]


def test_a_threat_may_state_each_number_that_the_threat_model_of_a_row_states():
    assert set(condition_files.THREAT) == set(threats.STATED) - {"target"}  # a target is a word

    [test] = read(criterion=asks(threat=dict.fromkeys(condition_files.THREAT, 1))).criteria["S9-1"].tests

    assert dict(test.rows.threat).keys() == set(condition_files.THREAT)


def test_the_ends_of_a_bound_may_be_equal():
    assert read(criterion=asks(between=[0.5, 0.5])).criteria["S9-1"].tests[0].bound == (0.5, 0.5)


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


def test_what_a_criterion_needs_and_what_breaks_it_inherit_no_bound():
    inherited = ROWS | {"at_least": 0.8, "optional": True}
    other = {"name": "other", "metric": "other"}
    block = {
        "rows": inherited,
        "tests": [{"name": "own"}],
        "needs": [other | {"below": 0.5}],
        "breaks": other | {"above": 0.5},
    }

    criterion = read(criterion=block).criteria["S9-1"]

    (own,), (need,), breaks = criterion.tests, criterion.needs, criterion.breaks
    assert (own.comparison, own.bound, own.optional) == ("at_least", 0.8, True)
    assert (need.comparison, need.bound, need.optional) == ("below", 0.5, False)
    assert (breaks.comparison, breaks.bound, breaks.optional) == ("above", 0.5, False)


def test_a_check_of_a_stuck_attack_inherits_the_rows_and_not_the_bound():
    test = asks(at_least=0.8, threat={"eps": 0.1}, stuck={"metric": "no_gradient", "at_most": 0.05})

    [stuck] = read(criterion=test).criteria["S9-1"].tests[0].stuck

    assert (stuck.rows.metric, stuck.rows.entry, stuck.rows.threat) == ("no_gradient", "{net}", (("eps", 0.1),))
    assert (stuck.comparison, stuck.bound) == ("at_most", 0.05)

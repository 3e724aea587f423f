"""The claims data, the status words that hand-made rows get, and the tables that tell them."""

import csv
import inspect
import math
import re
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from touchstone import registry
from touchstone.__main__ import main
from touchstone.claims import paper_files
from touchstone.claims.judging import Asked, judge
from touchstone.claims.verdicts import STATUSES
from touchstone.evaluations.paired_errors import paired_errors
from touchstone.evaluations.routing import routing
from touchstone.evaluations.translation import translation
from touchstone.pipeline.planning.plan import Plan
from touchstone.pipeline.settings import papers
from touchstone.pipeline.settings.sections import sections
from touchstone.pipeline.settings.study import load
from touchstone.records.metric_rows import MetricRow, parse_threat
from touchstone.records.nouns import Cell, Detector, Outputs
from touchstone.report.claim_table import claim_rows, claims_csv, claims_tex, page_lines
from touchstone.statistics.sanity_checks import Doubts

ROOT = Path(__file__).parents[3]
STUDIES = ["digits", *sorted(path.stem for path in (ROOT / "workflow" / "studies").glob("*.yaml"))]
HOW_MANY = {"P0": 6, "S0": 8, "P1": 5, "S1": 10, "P2": 8, "S2": 10, "P3": 18, "S3": 13, "P4": 4, "S4": 12}
IDS = [f"{family}-{number}" for family, count in HOW_MANY.items() for number in range(1, count + 1)]
# Fixed before any run; a change here is a change of the question.
BOUNDS = {
    "S0-1": [("at_least", 0.95), ("at_least", 0.9)],
    "S0-2": [("at_least", 0.85), ("at_least", 0.05)],
    "S0-3": [("at_least", 0.0), ("at_least", 0.0)],
    "S0-6": [("above", 0.5)],
    "S0-7": [("between", (0.6, 0.9))],
    "S1-1": [("at_least", 0.8), ("at_most", 0.2)],
    "S1-2": [("at_least", 0.0)],
    "S1-3": [("at_most", 0.35)],
    "S1-4": [("at_least", -0.02), ("at_least", -0.02), ("at_least", 0.3)],
    "S1-5": [("at_most", 0.08)],
    "S1-6": [("at_least", -0.01), ("at_least", -0.01), ("at_least", -0.01)],
    "S1-7": [("at_most", 0.005)],
    "S1-8": [("at_least", -0.005), ("at_least", -0.005)],
    "S2-1": [("at_least", {"fashion_mnist": 0.55, "digits": 0.6})],
    "S2-2": [("at_least", 0.9)],
    "S2-3": [("at_most", 0.45)],
    "S2-4": [("at_least", 0.05)],
    "S2-5": [("at_least", 0.85), ("at_least", 0.85), ("at_least", 0.85), ("at_least", 0.85)],
    "S2-6": [("between", (-0.05, 0.05))],
    "S2-7": [("at_most", 0.04)],
    "S2-8": [("at_least", 0.1)],
    "S2-9": [("above", 0.0)],
    "S3-1": [("at_least", {"fashion_mnist": 0.97, "digits": 0.9})],
    "S3-2": [("at_least", {"fashion_mnist": 0.8}), ("at_least", {"fashion_mnist": 0.6})],
    "S3-3": [("at_least", 0.9), ("equals", 0.0)],
    "S3-4": [("at_least", 0.7), ("at_most", 0.4)],
    "S3-5": [("at_most", 0.05)],
    "S3-6": [("between", (-0.15, 0.15)), ("at_least", 0.25)],
    "S3-7": [("below", 0.05), ("below", 0.0)],
    "S3-8": [("at_least", 0.4)],
    "S3-9": [("at_least", -0.01), ("at_least", 0.6)],
    "S3-10": [("at_least", 0.6), ("at_most", 0.01)],
    "S3-11": [("at_most", 0.0)],
    "S3-12": [("at_least", -0.005)],
    "S3-13": [("at_least", 0.95)],
    "S4-1": [("at_least", 0.4)],
    "S4-2": [("equals", 0.0)],
    "S4-3": [("at_least", -0.05), ("between", (0.03, 0.07))],
    "S4-4": [("at_least", 0.8)],
    "S4-5": [("at_least", 0.2), ("below", 0.0)],
    "S4-6": [("at_least", 0.4)],
    "S4-7": [("below", 0.2)],
    "S4-8": [("at_least", 0.1)],
    "S4-10": [("at_least", 0.05)],
    "S4-11": [("at_least", 0.2)],
}  # fmt: skip
FACTS = papers.shipped_facts()
BOOK = paper_files.book(FACTS)


# --- the data -----------------------------------------------------------------------------------------------------


def test_every_claim_of_the_papers_is_there_exactly_once():
    written = [name for facts in FACTS.values() for part in ("published", "criteria") for name in facts[part]]

    assert sorted(written) == sorted(IDS)
    assert sorted([*BOOK.published, *BOOK.criteria]) == sorted(written)


@pytest.mark.parametrize("name", BOOK.criteria)
def test_every_bound_of_a_criterion_is_in_its_words(name):
    row = f"{BOOK.criteria[name].setting} | {BOOK.criteria[name].text}"
    stated = {float(number) for number in re.findall(r"(?<![\w.])\d*\.?\d+", row)}
    stated |= {number / 100 for number in stated}  # percent and points

    for test in [*BOOK.criteria[name].tests, *filter(None, [BOOK.criteria[name].breaks])]:
        bounds = test.bounds.values() if isinstance(test.bounds, dict) else [test.bounds]
        ends = [end for bound in bounds for end in (bound if isinstance(bound, tuple) else (bound,))]
        assert all(end in (None, 0) or any(math.isclose(abs(end), s) for s in stated) for end in ends), test.name


@pytest.mark.parametrize("criterion", BOOK.criteria.values(), ids=lambda criterion: criterion.id)
def test_a_criterion_has_a_word_of_its_own_or_rows_that_decide(criterion):
    conditions = [*criterion.tests, *criterion.needs, *filter(None, [criterion.breaks])]

    assert criterion.fixed in ("", "not reproducible at this scale")
    assert criterion.fixed or criterion.tests
    assert {criterion.met, "confirmed"} <= set(STATUSES)
    # An attack names also whose attack it is: the roles of what it may break.
    broken = {role for other in BOOK.criteria.values() if criterion.id in other.broken_by for role in other.roles}
    used = {role for condition in conditions for role in condition.roles}
    assert used <= set(criterion.roles) <= used | broken
    assert {role.section for role in criterion.roles.values()} <= set(sections())


def test_no_bound_has_moved():
    found = {
        name: [(test.comparison, test.bounds) for test in (*c.tests, *filter(None, [c.breaks])) if test.comparison]
        for name, c in BOOK.criteria.items()
    }

    assert {name: bounds for name, bounds in found.items() if bounds} == BOUNDS


def test_only_what_the_papers_call_so_is_not_reproducible_at_this_scale():
    assert [name for name, c in BOOK.criteria.items() if c.fixed] == ["S0-8", "S1-9", "S2-10", "S3-5", "S4-12"]


@pytest.mark.parametrize("study", STUDIES)
def test_what_a_study_asks_is_measured_by_evaluations_that_exist(study):
    asked = [BOOK.criteria[name] for name, roles in load(study, ROOT)["claims"].items() if not isinstance(roles, str)]

    found = {condition.rows.evaluation for criterion in asked for condition in criterion.tests}

    assert found <= set(registry.names("evaluations"))


@pytest.mark.parametrize("study", STUDIES)
def test_a_study_says_of_every_criterion_who_plays_its_roles_or_why_it_is_not_run(study):
    said = load(study, ROOT)["claims"]

    assert {name for name, criterion in BOOK.criteria.items() if not criterion.fixed} <= set(said)


def test_a_difference_on_the_same_inputs_is_a_paired_metric_and_not_two_rows():
    combined = {name for name, c in BOOK.criteria.items() for test in (*c.tests, *c.needs) if test.minus}

    # S4-2 has to be equal, which is no estimate; S3-11 takes a share of a number of the same network, weighed by .25.
    assert combined == {"S3-11", "S4-2"}


PAIRED = {"routing": routing, "translation": translation, "paired_errors": paired_errors}


def made_up(planned, with_router):
    """An artefact of six images where a plan has one of an evaluation about accuracy."""
    if planned.role == "detectors":
        noun = Detector({}, {"use": "energy"}, {"0.05": 0.5}, spread=1.0, supervised=False)
    else:
        logits = np.random.default_rng(zlib.crc32(planned.file.encode())).normal(size=(6, 2)).astype(np.float32)
        paths = {"untranslated": logits, "translated": logits, "routed": logits[:, 0] > 0.5}
        paths |= {"routing_score": logits[:, 0]} if with_router else {}
        defence = "protects" in planned.facts.get("settings", {})
        noun = Outputs(logits, np.arange(6) % 2, np.arange(6), paths if defence else {})
    return Cell(noun, planned.file, **planned.facts)


@pytest.mark.parametrize("study", ["digits", "fashion_mnist"])
def test_the_evaluations_of_a_study_give_the_differences_that_its_claims_ask_for(study):
    plan, rows = Plan(load(study, ROOT)), []
    asked = Asked(**plan.questions.claims())

    for name, component in asked.components.items():
        if component not in PAIRED:
            continue
        cells = plan.questions.cells(name, ("outputs", "detectors"))
        routed = {cell.facts["entry"] for cell in cells if cell.role == "detectors"}
        made = {"outputs": [], "detectors": [], "examples": []}
        for cell in cells:
            made[cell.role].append(made_up(cell, cell.facts["entry"] in routed))
        parameters = inspect.signature(PAIRED[component]).parameters
        against = plan.study["evaluations"][name].get("against")
        own = {"against": against} if against and "against" in parameters else {}
        found = PAIRED[component](*(made[role] for role in made if role in parameters), resamples=2, **own)
        rows += [replace(each, evaluation=name, line=2) for each in found]

    of_pairs = {"S1-5", "S3-5", "S4-3", "S4-5", "S4-6", "S4-9", "S4-10", "S4-11"}
    missing = {verdict.claim.id: verdict.notes for verdict in judge(BOOK, asked, rows) if verdict.missing}
    assert not of_pairs & missing.keys(), missing


def test_the_papers_are_settings_of_the_report_and_of_no_other_job():
    plan = Plan(load("tiny", ROOT))
    reports = {rule.step: [task.settings for task in plan.tasks(rule, **w)] for rule, w in plan.jobs()}

    assert reports["report"][0]["papers"] == load("tiny", ROOT)["papers"]
    assert [step for step, settings in reports.items() if any("papers" in block for block in settings)] == ["report"]


# --- the status words ---------------------------------------------------------------------------------------------

ROWS = {"evaluation": "robustness", "metric": "clean_accuracy", "entry": "{net}", "examples": "{examples}"}
ROLES = {"net": "classifiers", "examples": "examples"}
ASKED = {"net": "cnn", "examples": "test"}


def row(value, low=None, high=None, **more):
    ends = {"low": value - 0.02 if low is None else low, "high": value + 0.02 if high is None else high}
    place = {"evaluation": "main", "entry": "cnn", "examples": "test", "metric": "clean_accuracy", "seed": 0, "n": 500}
    rest = {"unit": "fraction", "base_rate": None, "files": ("a",), "line": 2}
    threat = parse_threat(more.pop("threat", "none"))
    return MetricRow(**{**place, **rest, "threat": threat, "value": value, **ends, **more})


def book(tmp_path, **blocks):
    """A claims file with P9-1 and one criterion per block, each with usual rows and roles."""
    made = {
        name: {"setting": "s", "criterion": "c", "roles": ROLES, "rows": ROWS} | block for name, block in blocks.items()
    }
    figure = {"setting": "s", "figure": "99%", "source": "s.1", "marks": ["P"]}
    content = {
        "name": "Paper",
        "published": {"P9-1": figure},
        "criteria": {n.replace("_", "-"): b for n, b in made.items()},
    }
    return paper_files.book({"made": yaml.safe_load(yaml.safe_dump(content, sort_keys=False))})


def verdicts(tmp_path, rows, claims=None, data="other", **blocks):
    made = book(tmp_path, **blocks)
    asked = Asked(data, {"main": "robustness"}, dict.fromkeys(made.criteria, ASKED) if claims is None else claims)
    return {verdict.claim.id: verdict for verdict in judge(made, asked, rows)}


def one(tmp_path, rows, block, **more):
    return verdicts(tmp_path, rows, S9_1=block, **more)["S9-1"]


def asks(name="accuracy", **more):
    return {"tests": [{"name": name, **more}]}


NAN = float("nan")


@pytest.mark.parametrize(
    ("comparison", "low", "high", "word"),
    [
        ({"at_least": 0.8}, 0.81, 0.9, "confirmed"),
        ({"at_least": 0.8}, 0.8, 0.9, "confirmed"),
        ({"at_least": 0.8}, 0.79, 0.9, "inconclusive"),
        ({"at_least": 0.8}, 0.7, 0.8, "inconclusive"),
        ({"at_least": 0.8}, 0.6, 0.79, "not confirmed"),
        ({"above": 0.8}, 0.8, 0.9, "inconclusive"),
        ({"above": 0.8}, 0.7, 0.8, "not confirmed"),
        ({"at_most": 0.2}, 0.1, 0.2, "confirmed"),
        ({"at_most": 0.2}, 0.1, 0.3, "inconclusive"),
        ({"at_most": 0.2}, 0.21, 0.3, "not confirmed"),
        ({"below": 0.2}, 0.1, 0.2, "inconclusive"),
        ({"below": 0.2}, 0.2, 0.3, "not confirmed"),
        ({"between": [0.3, 0.7]}, 0.3, 0.7, "confirmed"),
        ({"between": [0.3, 0.7]}, 0.6, 0.8, "inconclusive"),
        ({"between": [0.3, 0.7]}, 0.1, 0.9, "inconclusive"),
        ({"between": [0.3, 0.7]}, 0.71, 0.9, "not confirmed"),
        ({}, 0.1, 0.9, "reported"),
    ],
)
def test_the_word_follows_from_where_the_whole_interval_lies(tmp_path, comparison, low, high, word):
    rows = [row((low + high) / 2, low, high)]

    assert one(tmp_path, rows, asks(**comparison)).word == word


@pytest.mark.parametrize(("value", "word"), [(0.5, "confirmed"), (0.5001, "not confirmed")])
def test_what_has_to_be_equal_is_compared_by_its_value_alone(tmp_path, value, word):
    assert one(tmp_path, [row(value, 0.1, 0.9)], asks(equals=0.5)).word == word


@pytest.mark.parametrize(("other", "word"), [(0.5, "confirmed"), (0.49, "not confirmed")])
def test_what_has_to_be_equal_is_equal_on_every_seed_and_has_their_extremes_as_ends(tmp_path, other, word):
    rows = [row(0.5, 0.1, 0.9), row(1 - other, 0.4, 0.6, seed=1), row(other, 0.4, 0.6, seed=2)]

    verdict = one(tmp_path, rows, asks(equals=0.5))

    assert verdict.word == word
    assert (verdict.parts[0].quantity.low, verdict.parts[0].quantity.high) == (other, 1 - other)


def test_an_end_that_is_not_known_is_taken_for_infinite(tmp_path):
    rows = [replace(row(0.9), low=None)]

    assert one(tmp_path, rows, asks(at_least=0.1)).word == "inconclusive"


def test_the_mean_over_seeds_has_the_hull_of_their_intervals(tmp_path):
    rows = [row(0.8, 0.7, 0.84, seed=0), row(0.9, 0.85, 0.95, seed=1), row(0.85, 0.8, 0.9, seed=2)]
    rows.append(row(0.5, seed=None, metric="clean_accuracy_mean"))

    (part,) = one(tmp_path, rows, asks(at_least=0.75)).parts

    assert part.quantity.value == pytest.approx(0.85)
    assert (part.quantity.low, part.quantity.high, part.seeds) == (0.7, 0.95, (0, 1, 2))


def test_where_each_seed_has_to_pass_the_weakest_decides(tmp_path):
    rows = [row(0.9, 0.85, 0.95, seed=0), row(0.7, 0.6, 0.74, seed=1), row(0.76, 0.7, 0.8, seed=2)]

    verdict = one(tmp_path, rows, asks(at_least=0.75) | {"seeds": "each"})

    assert verdict.word == "not confirmed"
    assert (verdict.parts[0].quantity.value, verdict.parts[0].seeds) == (0.7, (0, 1, 2))
    assert verdict.parts[0].name == "accuracy: seed 1, the worst of 3" and len(verdict.parts[0].rows) == 3
    assert "1 seed" not in verdict.notes


def test_a_difference_goes_from_the_least_to_the_greatest_that_both_intervals_allow(tmp_path):
    rows = [row(0.9, 0.85, 0.95), row(0.6, 0.5, 0.65, entry="mlp")]
    block = asks(minus={"entry": "{other}"}, at_least=0.2) | {"roles": ROLES | {"other": "classifiers"}}

    verdict = one(tmp_path, rows, block, claims={"S9-1": ASKED | {"other": "mlp"}})

    (part,) = verdict.parts
    assert (part.quantity.value, part.quantity.low, part.quantity.high) == pytest.approx((0.3, 0.2, 0.45))
    assert part.quantity.unit == "difference of fractions"


def test_a_difference_pairs_seeds_and_falls_back_to_the_first(tmp_path):
    rows = [row(value, seed=seed) for seed, value in enumerate((0.9, 0.8))]
    rows += [row(0.5, seed=0, entry="mlp"), row(0.5, seed=0, entry="paired"), row(0.1, seed=1, entry="paired")]
    block = asks(minus={"entry": "{other}"}) | {"roles": ROLES | {"other": "classifiers"}}
    values = {}

    for other in ("mlp", "paired"):
        (part,) = one(tmp_path, rows, block, claims={"S9-1": ASKED | {"other": other}}).parts
        values[other] = part.quantity.value

    assert values == {"mlp": pytest.approx(0.35), "paired": pytest.approx(0.55)}


def test_a_complement_and_a_weight_turn_value_and_interval(tmp_path):
    rows = [row(0.9, 0.8, 0.95)]

    error = one(tmp_path, rows, asks(metric="1 - clean_accuracy")).parts[0].quantity
    rest = one(tmp_path, rows, asks(minus={"times": 0.5})).parts[0].quantity

    assert tuple(error[:3]) == pytest.approx((0.1, 0.05, 0.2))
    assert tuple(rest[:3]) == pytest.approx((0.45, 0.325, 0.55))


def test_a_mean_over_sets_has_the_mean_of_their_ends(tmp_path):
    rows = [row(0.9, 0.8, 1.0, examples="a"), row(0.5, 0.4, 0.6, examples="b")]
    block = asks(at_least=0.6) | {"roles": ROLES | {"examples": "mean examples"}}

    (part,) = one(tmp_path, rows, block, claims={"S9-1": {"net": "cnn", "examples": ["a", "b"]}}).parts

    assert tuple(part.quantity[:3]) == pytest.approx((0.7, 0.6, 0.8))


def test_of_several_things_the_weakest_decides_and_each_is_named(tmp_path):
    rows = [row(0.9), row(0.5, entry="mlp")]
    block = asks(at_least=0.8) | {"roles": ROLES | {"net": "each classifiers"}}

    verdict = one(tmp_path, rows, block, claims={"S9-1": ASKED | {"net": ["cnn", "mlp"]}})

    assert verdict.word == "not confirmed"
    assert [part.name for part in verdict.parts] == ["accuracy: mlp", "accuracy: cnn"]


def test_a_mean_over_all_sets_of_an_evaluation_has_the_interval_that_it_gave_that_mean(tmp_path):
    rows = [row(0.9, 0.8, 1.0, examples="a"), row(0.5, 0.4, 0.6, examples="b")]
    block = asks(at_least=0.6) | {"roles": ROLES | {"examples": "mean examples"}}
    claims = {"S9-1": {"net": "cnn", "examples": ["a", "b"]}}

    same = one(tmp_path, [*rows, row(0.7, 0.65, 0.75, examples="mean_of_sets", n=900)], block, claims=claims)
    other = one(tmp_path, [*rows, row(0.69, 0.65, 0.75, examples="mean_of_sets")], block, claims=claims)

    assert tuple(same.parts[0].quantity[:3]) == (0.7, 0.65, 0.75) and same.parts[0].quantity.n == 900
    assert tuple(other.parts[0].quantity[:3]) == pytest.approx((0.7, 0.6, 0.8))


def test_one_success_on_one_seed_settles_that_a_share_is_above_0(tmp_path):
    rows = [row(0.01, 0.001, 0.05, seed=0), row(0.0, 0.0, 0.03, seed=1)]

    shown = one(tmp_path, rows, asks(above=0))
    difference = one(tmp_path, [replace(each, unit="difference of fractions") for each in rows], asks(above=0))
    none = one(tmp_path, rows[1:], asks(above=0))
    more = one(tmp_path, rows, asks(above=0.005))

    assert [verdict.word for verdict in (shown, difference, none, more)] == [
        "confirmed", "inconclusive", "inconclusive", "inconclusive",
    ]  # fmt: skip
    assert shown.notes[0] == "one success is enough, and there are some on seed 0"


def test_a_name_may_hold_who_plays_a_role(tmp_path):
    assert one(tmp_path, [row(0.9)], asks("accuracy of {net}")).parts[0].name == "accuracy of cnn"
    with pytest.raises(ValueError, match="detector is not among"):
        one(tmp_path, [row(0.9)], asks("accuracy of {detector}"))


def test_roles_that_go_together_are_paired_and_must_have_one_eps(tmp_path):
    roles = {"pgd": "each attacks", "fgsm": "each attacks"}
    rows = [
        row(0.5, examples=name, threat=f"white-box linf eps={eps}")
        for name, eps in (("pgd_1", 0.1), ("fgsm_1", 0.1), ("pgd_2", 0.2), ("fgsm_2", 0.2))
    ]
    block = {
        "roles": roles, "together": ["pgd", "fgsm"], "rows": ROWS | {"entry": "cnn", "examples": "{pgd}"},
        "tests": [{"name": "difference", "minus": {"examples": "{fgsm}"}}],
    }  # fmt: skip
    right, wrong = (
        {"S9-1": {"pgd": ["pgd_1", "pgd_2"], "fgsm": fgsm}} for fgsm in (["fgsm_1", "fgsm_2"], ["fgsm_2", "fgsm_1"])
    )

    assert len(one(tmp_path, rows, block, claims=right).parts) == 2
    assert "have 0.1 and 0.2" in one(tmp_path, rows, block, claims=wrong).notes[0]


def test_only_rows_under_the_threat_that_is_asked_count(tmp_path):
    block = asks(threat={"eps": 8 / 255})

    right = one(tmp_path, [row(0.5, threat=f"white-box linf eps={8 / 255:g} steps=40 (pgd)")], block)
    wrong = one(tmp_path, [row(0.5, threat="white-box linf eps=0.1 steps=40 (pgd)")], block)

    assert (right.word, wrong.word) == ("reported", "not run")
    assert wrong.notes == ("missing: clean_accuracy of cnn on test, eps 0.0313725",)


@pytest.mark.parametrize("rows", [[], [row(NAN, NAN, NAN)], [row(0.9, entry="mlp")]])
def test_rows_that_are_missing_or_not_a_number_are_named(tmp_path, rows):
    verdict = one(tmp_path, rows, asks(at_least=0.8))

    assert verdict.word == "not run" and verdict.missing
    assert verdict.notes == ("missing: clean_accuracy of cnn on test",)


def test_an_evaluation_that_the_study_has_not_is_named(tmp_path):
    assert one(tmp_path, [row(0.9)], asks(evaluation="routing")).notes == ("missing: an evaluation that uses routing",)


@pytest.mark.parametrize(
    ("claims", "note"),
    [
        ({}, "the study names nothing for net (classifiers), examples (examples)"),
        ({"S9-1": {"net": "cnn"}}, "the study names nothing for examples (examples)"),
        ({"S9-1": "No network is trained so."}, "No network is trained so."),
    ],
)
def test_a_claim_that_is_not_asked_says_why(tmp_path, claims, note):
    verdict = one(tmp_path, [row(0.9)], asks(at_least=0.8), claims=claims)

    assert (verdict.word, verdict.notes, verdict.missing) == ("not run", (note,), False)


def test_a_bound_may_hold_for_some_data_alone(tmp_path):
    block = asks(at_least={"fashion_mnist": 0.95, "digits": 0.8})

    words = {data: one(tmp_path, [row(0.9)], block, data=data) for data in ("fashion_mnist", "digits", "mnist")}

    assert [verdict.word for verdict in words.values()] == ["not confirmed", "confirmed", "not run"]
    assert words["mnist"].notes == ("its bound was fixed for fashion_mnist and digits, not for mnist",)


def test_what_a_claim_needs_must_hold_for_it_to_be_run(tmp_path):
    need = {"name": "accuracy", "at_least": 0.95}

    verdict = one(tmp_path, [row(0.9)], asks(at_least=0.8) | {"needs": [need]})

    assert verdict.word == "not run" and not verdict.missing
    assert verdict.notes == ("asked only where accuracy 90.0\u202f% [88.0, 92.0], asked ≥ 95\u202f%",)


def test_what_is_optional_may_be_missing_but_not_all_of_it(tmp_path):
    tests = [{"name": name, "entry": name, "at_least": 0.8, "optional": True} for name in ("cnn", "mlp")]

    some, none = (one(tmp_path, rows, {"tests": tests}) for rows in ([row(0.9)], [row(0.9, entry="other")]))

    assert (some.word, none.word, none.missing) == ("confirmed", "not run", True)


def test_verdicts_on_digits_and_on_few_seeds_are_marked(tmp_path):
    verdict = one(tmp_path, [row(0.9)], asks(at_least=0.8), data="digits")

    assert verdict.notes == ("small sample: n = 500", "1 seed")


@pytest.mark.parametrize(
    ("asked", "value", "word"),
    [
        ({"at_most": 0.35}, 0.9, "inconclusive"),  # the truth may be lower
        ({"at_least": 0.35}, 0.9, "inconclusive"),
        ({"at_most": 0.35}, 0.1, "confirmed"),  # and lower is what was asked
        ({"at_least": 0.35}, 0.1, "not confirmed"),
    ],
)
def test_what_an_attack_leaves_that_was_stuck_is_an_upper_bound(tmp_path, asked, value, word):
    test = {"name": "auroc", **asked, "stuck": {"metric": "no_gradient", "at_most": 0.05}}
    shares = {share: row(share, metric="no_gradient") for share in (0.04, 0.8)}

    free, stuck, unknown = (
        one(tmp_path, [row(value), *more], {"tests": [test]}) for more in ([shares[0.04]], [shares[0.8]], [])
    )

    assert stuck.word == word
    assert "an upper bound: on 80% of" in stuck.notes[0]
    assert free.word == unknown.word == ("confirmed" if (value > 0.35) == ("at_least" in asked) else "not confirmed")
    assert not any("upper bound" in note for note in (*free.notes, *unknown.notes))
    assert (stuck.parts[0].quantity.low, stuck.parts[0].quantity.high) == (value - 0.02, value + 0.02)


def test_a_claim_out_of_scale_keeps_its_word_whatever_is_measured(tmp_path):
    fixed = {"fixed": "not reproducible at this scale"}

    bare = one(tmp_path, [], fixed | {"roles": {}, "rows": {}})
    with_test = one(tmp_path, [row(0.1)], fixed | asks(at_least=0.8))
    without_rows = one(tmp_path, [], fixed | asks(at_least=0.8))

    assert {bare.word, with_test.word, without_rows.word} == {"not reproducible at this scale"}
    assert len(with_test.parts) == 1 and without_rows.missing and not bare.missing


def test_what_cannot_come_out_otherwise_is_true_by_construction(tmp_path):
    block = asks(equals=0.9) | {"met": "true by construction", "scales": ["P9-1"]}

    found = verdicts(tmp_path, [row(0.9)], S9_1=block)

    assert (found["S9-1"].word, found["P9-1"].word) == ("true by construction",) * 2


def test_a_label_stands_beside_what_is_not_confirmed(tmp_path):
    block = asks(at_least=0.8) | {"otherwise": "generic denoising"}

    assert "generic denoising" in one(tmp_path, [row(0.5)], block).notes
    assert "generic denoising" not in one(tmp_path, [row(0.8)], block).notes


def attacked(rate, spread=0.02, entry="cnn"):
    return row(rate, rate - spread, rate + spread, metric="evasion_rate", entry=entry)


GUARDED = asks(at_least=0.8) | {"broken_by": ["S9-2"], "scales": ["P9-1"]}
ATTACK = {
    "tests": [{"name": "SR", "metric": "evasion_rate"}], "broken_by": ["S9-2"],
    "breaks": {"name": "SR", "metric": "evasion_rate", "above": 0.5, "says": "not robust"},
}  # fmt: skip


def test_an_adaptive_attack_breaks_what_it_was_made_on(tmp_path):
    found = verdicts(tmp_path, [row(0.9), attacked(0.7)], S9_1=GUARDED, S9_2=ATTACK)

    assert {verdict.word for verdict in found.values()} == {"broken by adaptive attack"}
    assert found["S9-1"].notes[0] == "S9-2: SR 70.0\u202f% [68.0, 72.0], broken if > 50\u202f%, so not robust"


@pytest.mark.parametrize(("left", "word"), [(0.1, "broken by adaptive attack"), (0.5, "reported")])
def test_the_number_that_says_whether_a_claim_is_broken_stands_first_and_is_a_row_of_its_own(tmp_path, left, word):
    attack = ATTACK | {"breaks": {"name": "accuracy left", "metric": "left", "below": 0.2, "says": "not robust"}}
    made = book(tmp_path, S9_2=attack)
    rows = [attacked(0.3), row(left, metric="left", line=3)]
    found = judge(made, Asked("other", {"main": "robustness"}, {"S9-2": ASKED}), rows)

    first, second = claim_rows(found, 20)
    ((shown,), _) = page_lines(made, found, [first, second])

    assert shown.word == word
    assert shown.note.startswith("not robust; " if left < 0.2 else "1 seed")
    assert (first.metric, first.value, first.of, second.metric) == ("accuracy left", left, (3,), "SR")
    assert [(name, asked) for name, _, asked in shown.numbers] == [
        ("accuracy left", "broken if < 20\u202f%"),
        ("SR", ""),
    ]


@pytest.mark.parametrize(("rate", "note"), [(0.3, "does not break it"), (0.51, "leaves open whether it is broken")])
def test_an_attack_that_fails_or_may_fail_breaks_nothing(tmp_path, rate, note):
    found = verdicts(tmp_path, [row(0.9), attacked(rate)], S9_1=GUARDED, S9_2=ATTACK)

    assert (found["S9-1"].word, found["S9-2"].word, found["P9-1"].word) == ("confirmed", "reported", "confirmed")
    assert note in found["S9-1"].notes[-1]


def test_an_attack_on_another_network_breaks_nothing(tmp_path):
    claims = {"S9-1": ASKED, "S9-2": ASKED | {"net": "mlp"}}

    found = verdicts(tmp_path, [row(0.9), attacked(0.7, entry="mlp")], claims, S9_1=GUARDED, S9_2=ATTACK)

    assert (found["S9-1"].word, found["S9-2"].word) == ("confirmed", "broken by adaptive attack")


def test_without_its_adaptive_attack_a_criterion_holds_but_no_published_claim(tmp_path):
    found = verdicts(tmp_path, [row(0.9)], {"S9-1": ASKED}, S9_1=GUARDED, S9_2=ATTACK)

    assert (found["S9-1"].word, found["P9-1"].word) == ("confirmed", "not run")
    assert "no adaptive attack on it (S9-2 not run), so no claim of robustness" in found["S9-1"].notes


def test_an_attack_without_a_condition_of_its_own_breaks_where_its_tests_are_met(tmp_path):
    fall = {"tests": [{"name": "fall", "metric": "fall", "at_least": 0.4}]}
    rows = [row(0.9), row(0.6, metric="fall")]

    found = verdicts(tmp_path, rows, S9_1=GUARDED, S9_2=fall)

    assert (found["S9-1"].word, found["S9-2"].word) == ("broken by adaptive attack", "confirmed")


@pytest.mark.parametrize(
    ("values", "word"),
    [((0.9, 0.9), "confirmed"), ((0.9, 0.8), "inconclusive"), ((0.9, None), "not run"), ((None, 0.5), "not confirmed")],
)
def test_a_published_claim_is_as_good_as_the_weakest_criterion_that_scales_it_down(tmp_path, values, word):
    block = asks(at_least=0.8) | {"scales": ["P9-1"]}
    rows = [row(value, examples=name) for name, value in zip("ab", values, strict=True) if value]
    claims = {f"S9-{place}": {"net": "cnn", "examples": name} for place, name in enumerate("ab", 1)}

    assert verdicts(tmp_path, rows, claims, S9_1=block, S9_2=block)["P9-1"].word == word


def test_a_published_claim_that_nothing_scales_down_is_not_run(tmp_path):
    verdict = verdicts(tmp_path, [row(0.9)], S9_1=asks(at_least=0.8))["P9-1"]

    assert (verdict.word, verdict.notes) == ("not run", ("no criterion was fixed beforehand that scales it down",))


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ({"test": []}, "criteria.S9-1: the key test is not among"),
        (asks(at_leats=0.8), "Did you mean at_least?"),
        (asks(at_least=0.8, at_most=0.9), "compares by at_least and at_most"),
        (asks(entry="{nobody}"), "nobody is not among net, examples"),
        (asks() | {"scales": ["P9-2"]}, "scales: P9-2 is not among P9-1"),
        (asks() | {"rows": {"metric": "auroc"}}, "evaluation is missing; add it here"),
        (asks() | {"roles": ROLES | {"net": "every classifiers"}}, "every is not among each, mean"),
    ],
)
def test_a_mistake_in_the_claims_is_told_with_its_place(tmp_path, block, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        book(tmp_path, S9_1=block)


# --- the tables ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("study", STUDIES)
def test_the_claims_of_every_study_have_exactly_one_allowed_word_each(study):
    asked = Asked(**Plan(load(study, ROOT)).questions.claims())

    lines = list(csv.DictReader(claims_csv(BOOK, judge(BOOK, asked, [])).decode().splitlines()))

    assert sorted(line["claim"] for line in lines) == sorted(IDS)
    assert {line["status"] for line in lines} <= set(STATUSES)
    assert all(line["note"] for line in lines if line["status"] == "not run")


@pytest.mark.parametrize("path", sorted((ROOT / "reports").glob("*/claims.csv")), ids=lambda path: path.parent.name)
def test_a_committed_claims_table_holds_every_claim_once(path):
    lines = list(csv.DictReader(path.read_text().splitlines()))

    assert sorted(line["claim"] for line in lines) == sorted(IDS)
    assert {line["status"] for line in lines} <= set(STATUSES)


def told(tmp_path):
    made = book(tmp_path, S9_1=asks(at_least=0.8) | {"scales": ["P9-1"]}, S9_2=asks())
    rows = [row(0.9, files=("a", "b"), line=7), row(0.7, seed=1, files=("b", "c"), line=8)]
    return made, judge(made, Asked("digits", {"main": "robustness"}, {"S9-1": ASKED, "S9-2": "Not here & now."}), rows)


def test_the_table_tells_value_interval_seeds_and_files(tmp_path):
    _, found, missing = csv.DictReader(claims_csv(*told(tmp_path)).decode().splitlines())

    assert (found["claim"], found["status"], found["measured"], found["n"]) == ("S9-1", "inconclusive", "0.8", "500")
    assert (float(found["low"]), float(found["high"])) == pytest.approx((0.68, 0.92))
    assert (found["seeds"], found["files"], found["published"]) == ("0 1", "a b c", "P9-1: 99%")
    assert (missing["status"], missing["note"], missing["measured"]) == ("not run", "Not here & now.", "")


def test_a_published_claim_shows_what_decided_it(tmp_path):
    published, found, _ = csv.DictReader(claims_csv(*told(tmp_path)).decode().splitlines())

    assert (published["measured"], published["status"]) == (found["measured"], found["status"])
    assert published["published"] == "99% (s.1; read in published text)"
    assert published["note"].startswith("S9-1 inconclusive; small sample: n = 500; 2 seeds")


def test_each_number_is_a_row_of_the_metrics_that_names_the_lines_it_is_of(tmp_path):
    _, found = told(tmp_path)

    (made,) = claim_rows(found, 20)

    assert (made.line, made.of, made.evaluation, made.entry) == (20, (7, 8), "claims", "S9-1")
    assert (made.value, made.low, made.high) == (0.8, pytest.approx(0.68), pytest.approx(0.92))


def test_the_page_shows_what_was_judged_first(tmp_path):
    made, found = told(tmp_path)

    judged, others = page_lines(made, found, claim_rows(found, 20))

    assert [line.claim for line in judged] == ["S9-1"]
    assert [line.claim for line in others] == ["P9-1", "S9-2"]
    ((name, number, asked),) = judged[0].numbers
    assert (name, number.line, asked) == ("accuracy", 20, "≥ 80\u202f%")


def test_a_number_of_a_claim_says_how_it_came_about_and_that_an_attack_behind_it_failed_a_check(tmp_path):
    made = book(tmp_path, S9_1=asks(metric="robust_accuracy", examples="{examples}/pgd"))
    of = {"entry": "cnn", "examples": "test/pgd", "threat": "white-box linf eps=0.1 (pgd)"}
    seeds = [row(value, metric="robust_accuracy", seed=seed, **of) for seed, value in enumerate((0.5, 0.6))]
    checks = [row(0.015, metric="worse_than_noise", unit="difference of fractions", **of, evaluation="checks")]
    checks.append(row(0, metric="worse_than_noise_passed", unit="passed", **of, evaluation="checks"))
    found = judge(made, Asked("other", {"main": "robustness"}, {"S9-1": ASKED}), seeds)

    ((line,), _) = page_lines(made, found, claim_rows(found, 20), Doubts([*seeds, *checks]))

    (_, number, _) = line.numbers[0]
    assert number.title.startswith("mean of 2 seeds; in brackets from the lowest to the highest end")
    assert number.doubt == "leaves more than random noise does, by +1.5\u202fpoints (asked ≤ 0.5 points, n = 500)"


def test_the_latex_table_escapes_what_latex_reads(tmp_path):
    text = claims_tex(*told(tmp_path)).decode()

    assert r"99\% (s.1; read in published text)" in text
    assert text.count(r" \\") == 4
    assert r"accuracy: 80.0\,\% [68.0, 92.0]" in text
    assert text.splitlines()[1].startswith("{\\footnotesize") and text.endswith("\\end{longtable}}\n")


def test_the_latex_table_of_every_claim_is_plain_latex(tmp_path):
    made = BOOK
    text = claims_tex(made, judge(made, Asked("digits", {}, {}), [])).decode()

    check_is_plain_latex(text)


@pytest.mark.parametrize("found", [-0.187, 0.5])
def test_a_number_below_0_has_a_minus_and_words_keep_their_hyphens(tmp_path, found):
    rows = [row(found, found - 0.02, found + 0.02, metric="kendall_tau", unit="rank correlation")]
    block = asks("tau of a white-box net, S2-9", metric="kendall_tau")
    made = book(tmp_path, S9_1=block)
    text = claims_tex(made, judge(made, Asked("digits", {"main": "robustness"}, {"S9-1": ASKED}), rows)).decode()

    check_is_plain_latex(text)
    assert "tau of a white-box net, S2-9: " in text
    assert ("$-$0.187 [$-$0.207, $-$0.167]" in text) == (found < 0)


# What the file may use, beside the packages that its first line names: pdflatex itself is not at hand where tests run.
PLAIN = {
    "arraybackslash", "begin", "end", "endhead", "footnotesize", "ge", "hline", "le", "noalign", "raggedright", "setlength", "smallskip", "tabcolsep",
    "textasciicircum", "textasciitilde", "textbackslash", "textwidth", "times",
}  # fmt: skip


def check_is_plain_latex(text):
    """Hold the structure that pdflatex needs: what it reads as syntax is escaped, opened and closed, and known to it."""
    comment, *lines = text.splitlines()
    assert comment.startswith("% ") and comment.endswith(r"\usepackage{array,longtable}")
    body = "\n".join(lines)
    assert set(re.findall(r"\\([a-zA-Z]+)", body)) <= PLAIN
    assert set(re.findall(r"\\([^a-zA-Z])", body)) <= set("\\,%&$#_{}\n")
    assert {*re.findall(r"\\(?:begin|end)\{(.*?)\}", body)} == {"longtable"}
    bare = re.sub(r"\\.", "", body)  # without what is escaped, and without commands' first letters
    assert {len(re.findall("&", re.sub(r"\\.", "", line))) for line in lines[2:-1]} == {4}
    assert all(line.endswith((r" \\", r"\hline\noalign{\smallskip}\endhead")) for line in lines[2:-1])
    assert bare.count("{") == bare.count("}") and bare.count("$") % 2 == 0
    assert not set('%#~^"') & set(bare)
    assert not set("<>_") & set(re.sub(r"\$.*?\$", "", "\n".join(re.sub(r"\\.", "", line) for line in lines[2:])))
    assert {letter for letter in text if not letter.isascii()} <= {"é"}


@pytest.mark.parametrize(
    ("right", "wrong"),
    [(r"99\%", "99%"), (" & ", " "), (r" \\", ""), (r"\hline", r"\toprule"), ("S9-1", "S9_1"), ("{", "")],
)
def test_the_check_of_the_latex_sees_what_pdflatex_would_not_read(tmp_path, right, wrong):
    text = claims_tex(*told(tmp_path)).decode()
    check_is_plain_latex(text)
    assert right in text

    with pytest.raises(AssertionError):
        check_is_plain_latex(text.replace(right, wrong))


# --- touchstone claims --------------------------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(project, rows):
    made = book(project, S9_1=asks(at_least=0.8), S9_2=asks())
    found = judge(made, Asked("digits", {"main": "robustness"}, {"S9-1": ASKED, "S9-2": "Not here."}), rows)
    (project / "reports" / "digits").mkdir(parents=True)
    (project / "reports" / "digits" / "claims.csv").write_bytes(claims_csv(made, found))


@pytest.mark.parametrize("value", [0.5, 0.9])
def test_claims_prints_the_verdicts_and_ends_well_whatever_they_are(project, capsys, value):
    written(project, [row(value)])

    assert main(["claims"]) == 0

    assert "3 claims, 1 with a verdict. The table: reports/digits/claims.csv" in capsys.readouterr().out


def test_claims_ends_in_1_where_a_figure_is_missing(project, capsys):
    written(project, [])

    assert main(["claims"]) == 1

    assert "asked but without figures: S9-1" in capsys.readouterr().out


def test_claims_prints_some_as_markdown(project, capsys):
    written(project, [row(0.9)])

    assert main(["claims", "digits", "--markdown", "S9-1"]) == 0

    head, _, line = capsys.readouterr().out.splitlines()
    assert head == "| paper | claim | published | measured here | verdict |"
    assert "| 90.0 % [88.0, 92.0] | **confirmed** |" in line


def test_a_claim_that_is_not_there_is_told_with_the_nearest(project, capsys):
    written(project, [row(0.9)])

    assert main(["claims", "digits", "--markdown", "S9-11"]) == 1

    assert "no claim S9-11. Did you mean S9-1?" in capsys.readouterr().err


def test_claims_before_a_run_says_what_to_do(project, capsys):
    assert main(["claims"]) == 1

    assert "run the study first: touchstone run digits" in capsys.readouterr().err

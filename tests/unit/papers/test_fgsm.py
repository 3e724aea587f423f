"""The claims of the FGSM paper, each judged from rows made by hand to each word that it can have."""

from pathlib import Path

import pytest
import yaml
from hand_made_claims import networks

from touchstone.claims import contrast_files, contrasts, paper_files
from touchstone.claims.criteria import COMPLEMENT, assignments
from touchstone.claims.judging import StudyClaims, judge
from touchstone.claims.sentences import said
from touchstone.records.metric_rows import WHITE_BOX

FOLDER = Path(paper_files.__file__).parents[1] / "papers/fgsm"
FACTS = yaml.safe_load((FOLDER / "claims.yaml").read_text())
EXPERIMENT = yaml.safe_load((FOLDER / "experiment.yaml").read_text())
BOOK = paper_files.book({"fgsm": FACTS})
SETS = {"examples": "clothes", "test": "all_clothes", "pair": "shirts", "rubbish": "noise"}
COMPONENTS = {
    component: component
    for component in ("robustness", "paired_errors", "unclipped_confidence", "agreement", "chance_agreement",
                      "training_length", "closed_form", "linearity", "rubbish")
}  # fmt: skip


def cast(name):
    """Return who plays the roles of a criterion in the experiment, with sets in place of data roles."""
    roles = BOOK.criteria[name].roles
    written = EXPERIMENT["claims"]["shared"] | EXPERIMENT["claims"][name]
    return {role: SETS.get(role, written.get(role)) for role in roles}


def rows(name, numbers):
    """Return the rows of three networks for every number of a criterion: .5, or what `numbers` says of it."""
    criterion = BOOK.criteria[name]
    made = {}
    for keys, condition in criterion.conditions.items():
        value = numbers.get(keys[0] if keys[0] == "breaks" else int(keys[1]), 0.5)
        if condition.rows.metric.startswith(COMPLEMENT):
            value = 1 - value
        for names in assignments(condition, criterion, cast(name), "each"):
            texts = (condition.rows.metric.removeprefix(COMPLEMENT), condition.rows.entry, condition.rows.examples)
            metric, entry, examples = (text.format(**names) for text in texts)
            budget = " ".join(f"{key}={value:g}" for key, value in condition.rows.threat)
            unit = "difference of fractions" if "_minus_" in metric else "fraction"
            place = {"evaluation": condition.rows.evaluation, "entry": entry, "examples": examples, "metric": metric}
            threat = f"{WHITE_BOX} linf {budget}" if budget else "none"
            made.setdefault((*place.values(),), networks(value, threat=threat, unit=unit, **place))
    return [row for found in made.values() for row in found]


def verdict(name, **numbers):
    """Return the verdict on a criterion, if its tests have these numbers: t0=.9 is that of the first."""
    values = {key if key == "breaks" else int(key[1:]): value for key, value in numbers.items()}
    study = StudyClaims(COMPONENTS, {name: cast(name)})
    return next(one for one in judge(BOOK, study, rows(name, values)) if one.claim.id == name)


@pytest.mark.parametrize(
    ("name", "numbers", "words"),
    [
        ("F1", {"t0": 0.95}, ("holds", "does not apply")),
        ("F1", {"t0": 0.894}, ("inconclusive", "does not apply")),
        ("F1", {"t0": 0.8}, ("fails", "does not apply")),
        ("F2", {"t0": -0.4, "breaks": 0.5}, ("holds", "upper bound only")),
        ("F2", {"t0": -0.4, "breaks": 0.89}, ("holds", "upper bound only")),
        ("F2", {"t0": -0.4, "breaks": 0.99}, ("holds", "broken")),
        ("F2", {"t0": 0.01, "breaks": 0.99}, ("inconclusive", "broken")),
        ("F2", {"t0": 0.1, "breaks": 0.5}, ("fails", "upper bound only")),
        ("F3", {"t0": 0.6}, ("holds", "does not apply")),
        ("F3", {"t0": 0.31}, ("inconclusive", "does not apply")),
        ("F3", {"t0": 0.04}, ("fails", "does not apply")),
        ("F4", {"t0": 0.0, "t1": -0.01}, ("holds", "upper bound only")),
        ("F4", {"t0": 0.0, "t1": -0.03}, ("inconclusive", "upper bound only")),
        ("F4", {"t0": -0.2, "t1": 0.0}, ("fails", "upper bound only")),
        ("F5", {"t0": 0.4}, ("holds", "does not apply")),
        ("F5", {"t0": 0.01}, ("inconclusive", "does not apply")),
        ("F5", {"t0": -0.4}, ("fails", "does not apply")),
        ("F6", {"t0": -0.1, "breaks": -0.1}, ("holds", "upper bound only")),
        ("F6", {"t0": -0.1, "breaks": 0.1}, ("holds", "broken")),
        ("F6", {"t0": 0.01, "breaks": -0.1}, ("inconclusive", "upper bound only")),
        ("F6", {"t0": 0.1, "breaks": 0.1}, ("fails", "broken")),
    ],
)
def test_each_word_follows_from_the_numbers(name, numbers, words):
    found = verdict(name, **numbers)

    assert (found.word, found.attacker) == words


def test_every_claim_and_counter_claim_is_judged_above():
    bounded = {name for name, one in BOOK.criteria.items() if one.kind != "number"}

    assert bounded == {f"F{number}" for number in range(1, 7)}
    assert {name for name, one in BOOK.criteria.items() if one.kind == "counter"} == {"F3"}


def test_a_claim_without_its_numbers_is_not_run():
    study = StudyClaims(COMPONENTS, {name: cast(name) for name in BOOK.criteria})

    assert {one.word for one in judge(BOOK, study, [])} == {"not run"}


@pytest.mark.parametrize("name", BOOK.criteria)
def test_each_sentence_has_all_its_numbers(name):
    sentence = said(verdict(name, breaks=0.7))

    assert sentence
    assert "not measured" not in sentence
    assert not any(text in sentence for text in ("differs by", "changes by", "cnn_", "_fgsm", *BOOK.criteria))


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [("F2", "1", "2"), ("F3", "1", "2"), ("F4", "2", "3"), ("F5", "1", "2"), ("F6", "1", "2")],
)
def test_a_sentence_reverses_if_its_numbers_are_swapped(name, first, second):
    one, other = {f"t{first}": 0.9, f"t{second}": 0.1}, {f"t{first}": 0.1, f"t{second}": 0.9}

    assert said(verdict(name, **one)) != said(verdict(name, **other))


def test_every_figure_is_beside_a_criterion_or_says_why_not():
    beside = {figure for one in BOOK.criteria.values() for figure in one.scales}
    reasons = {name for name, one in BOOK.published.items() if one.unmeasured}

    assert beside | reasons == BOOK.published.keys()
    assert not beside & reasons


@pytest.mark.parametrize(
    ("place", "entries"), [(0, ["cnn_fgsm", "cnn_fgsm", "cnn"]), (1, ["mlp_fgsm", "mlp_fgsm", "mlp"])]
)
def test_the_head_of_the_report_shows_one_step_a_suite_and_the_plain_network(place, entries):
    written = contrast_files.read(FACTS)[place]
    who = {name: cast(name) for name in written.of}
    roles = {role: entry for one in reversed(who.values()) for role, entry in one.items()}
    places = [
        {"entry": test.rows.entry.format(**roles), "examples": test.rows.examples.format(**roles)}
        for test in written.criterion.tests
    ]
    made = [
        row
        for value, place in zip((0.9, 0.2, 0.1), places, strict=True)
        for row in networks(
            value, evaluation="robustness", metric="robust_accuracy", threat=f"{WHITE_BOX} linf eps=0.1", **place
        )
    ]

    (contrast,) = contrasts.contrasts({"fgsm": FACTS}, StudyClaims(COMPONENTS, who), made)

    parts = (contrast.unaware, contrast.aware, contrast.reference)
    assert [part.quantity.value for part in parts] == [0.9, 0.2, 0.1]
    assert [part.quantity.row.entry for part in parts] == entries

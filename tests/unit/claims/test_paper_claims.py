"""The claims of the shipped papers, whatever they are about: their bounds, their roles, their words and their changes."""

import math
import re

import pytest

from touchstone.claims import paper_files
from touchstone.claims.criteria import CLAIM, COUNTER, NUMBER
from touchstone.settings import papers
from touchstone.settings.sections import sections

FACTS = papers.shipped_facts()
BOOK = paper_files.book(FACTS)
CRITERIA = pytest.mark.parametrize("criterion", BOOK.criteria.values(), ids=lambda criterion: criterion.id)
MOST_CLAIMS = 6  # of one paper: what its authors would recognise, and no more


def of_paper(facts, kind):
    return [name for name in facts["criteria"] if BOOK.criteria[name].kind == kind]


@pytest.mark.parametrize("paper", FACTS)
def test_a_paper_has_few_claims_and_says_what_its_authors_would_call_unfair(paper):
    facts = FACTS[paper]

    assert 1 <= len(of_paper(facts, CLAIM)) + len(of_paper(facts, COUNTER)) <= MOST_CLAIMS
    assert all(sentence.endswith(".") for sentence in facts["unfair"])


@CRITERIA
def test_every_bound_of_a_claim_is_in_its_words(criterion):
    words = f"{criterion.setting} | {criterion.text}"
    stated = {float(number) for number in re.findall(r"(?<![\w.])\d*\.?\d+", words)}
    stated |= {number / 100 for number in stated}  # percent and points

    for test in [*criterion.tests, *filter(None, [criterion.breaks])]:
        ends = test.bound if isinstance(test.bound, tuple) else (test.bound,)
        assert all(end in (None, 0) or any(math.isclose(abs(end), s) for s in stated) for end in ends), test.name


@CRITERIA
def test_a_bound_rests_on_no_figure_that_is_known_from_notes_only(criterion):
    if criterion.origin and criterion.origin.kind in ("figure", "half", "midpoint"):
        marks = [BOOK.published[name].marks for name in criterion.scales]
        assert any(set(read) - {"K"} for read in marks), criterion.origin


@CRITERIA
def test_a_criterion_uses_each_of_its_roles_and_no_others(criterion):
    # An attack names also whose attack it is: the roles of what it may break.
    broken = {role for other in BOOK.criteria.values() if criterion.id in other.broken_by for role in other.roles}
    variants = {role for role in criterion.roles if criterion.kind != NUMBER}  # a gate of the multiverse may use more
    used = {role for condition in criterion.conditions.values() for role in condition.roles}

    assert used <= set(criterion.roles) <= used | broken | variants
    assert {role.section for role in criterion.roles.values()} <= set(sections())


def test_every_published_figure_has_a_criterion_or_a_reason_why_nothing_bears_on_it():
    about = {name for criterion in BOOK.criteria.values() for name in criterion.scales}
    unmeasured = {name for name, figure in BOOK.published.items() if figure.unmeasured}

    assert about | unmeasured == set(BOOK.published)
    assert about & unmeasured == set()


def test_every_change_of_a_criterion_has_the_old_text_and_the_reason():
    for name, criterion in BOOK.criteria.items():
        for change in criterion.revised:
            assert change.was.strip() and change.why.strip() and change.was != criterion.text, name


def test_what_breaks_a_claim_is_ours_against_it_or_a_claim_about_the_same_attack():
    attacks = {name for criterion in BOOK.criteria.values() for name in criterion.broken_by}

    assert {BOOK.criteria[name].kind for name in attacks} <= {COUNTER, CLAIM}

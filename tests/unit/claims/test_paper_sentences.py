"""The sentences of the shipped papers' claims: each has one, and none presumes how its number comes out."""

import re

import pytest

from touchstone.claims import paper_files
from touchstone.settings import papers

BOOK = paper_files.book(papers.shipped_facts())
CRITERIA = pytest.mark.parametrize("criterion", BOOK.criteria.values(), ids=lambda criterion: criterion.id)
SIGNED = re.compile(
    r"\{\w+\} (?:more|less|above|below|higher|lower|fewer)\b|(?:exceeds|raises|lowers)\b[^.;]*? by \{", re.ASCII
)


def test_every_claim_has_a_sentence_so_that_no_setting_is_printed_as_a_fact():
    assert {name for name, criterion in BOOK.criteria.items() if not criterion.says} == set()


@CRITERIA
def test_no_sentence_presumes_the_sign_of_its_number(criterion):
    assert SIGNED.findall(criterion.says) == []


@pytest.mark.parametrize("says", ["errs {0} more often", "stays {1} above", "the error exceeds the other's by {2}"])
def test_a_sentence_that_presumes_a_sign_is_seen(says):
    assert SIGNED.search(says)

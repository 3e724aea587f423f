"""The tables of a report: every line of the table of claims is compared, and no table unpacks without a limit."""

import gzip
import tracemalloc

import pytest

from touchstone.audit import verdict_checks
from touchstone.audit.problems import CRITERIA, Result
from touchstone.report import packing

HONEST = "claim,status,measured\nS1-1,inconclusive,0.5\nS1-2,holds,0.7\n"


def problems(stated):
    result = Result()
    verdict_checks._compare_claims(stated, HONEST, "claims.csv", result)
    return [str(problem) for problem in result.problems]


def test_the_honest_table_of_claims_has_no_problem():
    assert problems(HONEST) == []
    assert problems(HONEST.replace("0.7", "0.70000000001")) == []


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("S1-1,inc", "S1-1,holds,0.5\nS1-1,inc", "lists other claims than the papers, or one twice"),
        ("S1-1,inconclusive,0.5\n", "", "lists other claims"),
        ("claim,status,measured\nS1-1,", "claim,status,status,measured\nS1-1,holds,", "other columns"),
        ("0.5\n", "0.5,holds\n", "other columns"),
        ("inconclusive", "holds", "its status is 'holds'; judged again it is 'inconclusive'"),
    ],
)
def test_a_line_more_or_less_or_otherwise_is_named(old, new, words):
    assert HONEST.count(old) == 1
    assert words in problems(HONEST.replace(old, new))[0]


def test_a_cell_that_is_too_long_for_a_table_is_a_problem():
    result = Result()

    with result.reading(CRITERIA, "claims.csv", "cannot be compared"):
        verdict_checks._compare_claims(HONEST + "0" * 200_000, HONEST, "claims.csv", result)

    assert "claims.csv: cannot be compared: field larger than field limit" in str(result.problems[0])


def test_a_table_of_the_expected_size_is_read():
    assert verdict_checks._table(packing.compressed(HONEST.encode()), len(HONEST))[1]["claim"] == "S1-2"


@pytest.mark.parametrize("before", [b"", gzip.compress(HONEST.encode())], ids=["alone", "after a table"])
def test_a_bomb_is_refused_before_it_is_unpacked(before, monkeypatch):
    """gzip unpacks all that is in a file, also what follows a small table."""
    monkeypatch.setattr(packing, "rows_of", lambda data: pytest.fail("unpacked"))

    bomb = before + gzip.compress(b"0" * 10**7)

    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"zip bomb|bytes follow its table"):
            verdict_checks._table(bomb, 1000)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 10**6

"""Limits on what files unpack to: what is within them is read as ever, what is beyond is named."""

import csv
import gzip
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from touchstone.records import size_limits

CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\r"), max_size=9)


@given(st.lists(st.tuples(CELLS, CELLS), max_size=5))
def test_a_table_is_read_as_the_csv_module_reads_it(rows):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([("first", "second"), *rows])

    assert size_limits.table(text.getvalue()) == list(csv.DictReader(io.StringIO(text.getvalue(), newline="")))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1\n", "line 2 has 1, expected 2"),
        ("a,b\n1,2,3\n", "line 2 has 3, expected 2"),
        ("a,a\n", "2 columns, at most 100 with different names"),
        ("a,b\n" + "1,2\n" * 200_000, "has 200,001 lines, at most 200,000"),
        ("a\n" + "x" * 140_000, "line 2: field larger than field limit"),
        ("a\n" + "x," * 600_000, "a row has more than 1,000,000 letters"),
    ],
)
def test_another_table_is_refused(text, words):
    with pytest.raises(ValueError, match=r"has|field") as error:
        size_limits.table(text)

    assert words in str(error.value)


def test_a_text_without_a_header_has_no_rows():
    assert size_limits.table("") == size_limits.table("\n\n") == []


def test_gzip_is_read_up_to_its_limit():
    data = gzip.compress(bytes(1000))

    assert size_limits.gunzipped(data, 1000) == bytes(1000)
    with pytest.raises(ValueError, match="unpacks to more than"):
        size_limits.gunzipped(data, 999)

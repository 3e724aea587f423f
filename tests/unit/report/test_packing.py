"""What a report holds compressed comes back whole, is the same in every process, and is refused where it is damaged."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from touchstone.records.size_limits import LARGEST_PART
from touchstone.report import packing

TABLE = b'entry,value\ncnn,0.5\n"a,b",\n'


@given(st.text())
def test_what_is_packed_into_a_page_is_unpacked_in_its_place(text):
    page = f'<p>before</p><script type="text/plain" class="packed">{packing.packed(text)}</script><p>after</p>'

    assert packing.unpacked(page) == f"<p>before</p>{text}<p>after</p>"


@given(st.text())
def test_packed_text_can_stand_in_any_page(text):
    assert not set(packing.packed(text)) & set("<>&\"'")


def test_equal_bytes_whenever_it_is_compressed(monkeypatch):
    first = packing.compressed(TABLE)
    monkeypatch.setattr("time.time", lambda: 0.0)

    assert packing.compressed(TABLE) == first
    assert gzip.decompress(first) == TABLE


def test_rows_come_back_as_text_by_column():
    rows = packing.rows_of(packing.compressed(TABLE))

    assert rows == [{"entry": "cnn", "value": "0.5"}, {"entry": "a,b", "value": ""}]


@pytest.mark.parametrize("spoil", [lambda data: data[:-9], lambda data: TABLE, lambda data: b"", lambda data: data[:12] + b"x" + data[13:]])  # fmt: skip
def test_a_damaged_table_is_refused(spoil):
    with pytest.raises(ValueError, match="not a whole gzipped table"):
        packing.rows_of(spoil(packing.compressed(TABLE)))


def test_a_damaged_part_of_a_page_is_refused():
    damaged = packing.packed("words")[:-8]

    with pytest.raises(ValueError, match="packed part"):
        packing.unpacked(f'<script type="text/plain" class="packed">{damaged}</script>')


def test_a_small_file_that_unpacks_to_a_huge_one_is_refused_before_it_fills_the_memory():
    bomb = packing.compressed(b"entry,value\n" + b"0" * LARGEST_PART)
    assert len(bomb) < 200_000

    with pytest.raises(ValueError, match="it unpacks to more than 100 MB"):
        packing.rows_of(bomb)

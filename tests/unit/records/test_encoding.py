import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from small_nouns import NOUNS, examples
from touchstone.records import encoding
from touchstone.records.encoding import DamagedFile
from touchstone.records.nouns import ContractError, ExampleSet, Margins


@pytest.mark.parametrize("noun", NOUNS, ids=lambda noun: type(noun).__name__)
def test_write_read_write_gives_equal_bytes(noun):
    data = encoding.encode(noun)

    again = encoding.encode(encoding.decode(data, type(noun)))

    assert again == data


@pytest.mark.parametrize("noun", NOUNS, ids=lambda noun: type(noun).__name__)
@pytest.mark.parametrize(
    "spoil", [lambda data: data[:-1], lambda data: data[: len(data) // 2], lambda data: b"", lambda data: b"PK" + data]
)
def test_truncated_or_altered_bytes_are_refused(noun, spoil):
    with pytest.raises(DamagedFile):
        encoding.decode(spoil(encoding.encode(noun)))


def test_a_file_of_another_kind_is_refused():
    with pytest.raises(DamagedFile, match="holds Scores, expected ExampleSet"):
        encoding.decode(encoding.encode(NOUNS[7]), ExampleSet)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"images": np.full((3, 1, 2, 2), np.nan, np.float32)}, "NaN"),
        ({"images": np.full((3, 1, 2, 2), 1.5, np.float32)}, r"expected \[0, 1\]"),
        ({"images": np.zeros((3, 2, 2), np.float32)}, "expected .N, C, H, W."),
        ({"images": np.zeros((0, 1, 2, 2), np.float32)}, "no images"),
        ({"images": np.zeros((3, 1, 2, 2))}, "expected float32"),
        ({"labels": np.zeros(2, np.int64)}, "labels have shape"),
        ({"example_ids": np.zeros(3, np.int64)}, "not unique"),
    ],
)
def test_an_example_set_that_breaks_its_rules_is_refused(changes, words):
    with pytest.raises(ContractError, match=words):
        examples(**changes)


@pytest.mark.parametrize(
    ("margins", "found"), [([-0.1], [True]), ([0.1], [False]), ([np.nan], [True]), ([np.inf], [True])]
)
def test_a_margin_is_at_least_0_and_infinite_only_where_none_was_found(margins, found):
    with pytest.raises(ContractError):
        Margins(np.array(margins), np.array(found), np.zeros(1), np.zeros(1), np.arange(1), "linf", "fab")


def test_the_file_has_exactly_one_metadata_key():
    data = encoding.encode(NOUNS[0])

    header = data[8 : 8 + int.from_bytes(data[:8], "little")]

    assert header.count(b'"__metadata__":{"touchstone"') == 1


@settings(max_examples=30, deadline=None)
@given(
    arrays.arrays(
        np.float32,
        st.tuples(st.integers(1, 4), st.just(1), st.integers(1, 5), st.integers(1, 5)),
        elements=st.floats(0, 1, width=32),
    )
)
def test_any_images_survive_the_round_trip(images):
    count = len(images)
    noun = examples(count, images=images, labels=np.zeros(count, np.int64), example_ids=np.arange(count))

    np.testing.assert_array_equal(encoding.decode(encoding.encode(noun)).images, images)

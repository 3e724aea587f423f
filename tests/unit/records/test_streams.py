from io import BytesIO

import numpy as np
import pytest

from small_nouns import NOUNS, examples
from touchstone.records import encoding, streams
from touchstone.records.encoding import DamagedFile
from touchstone.records.nouns import ExampleSet


def read(data, kind):
    return streams.read(BytesIO(data), len(data), kind)


@pytest.mark.parametrize("noun", [*NOUNS, examples(source='of "Käthe" \\ \n')], ids=lambda noun: type(noun).__name__)
def test_pieces_are_the_bytes_of_the_noun_and_read_like_them(noun):
    data = encoding.encode(noun)

    assert b"".join(streams.encoded(noun)) == data
    assert encoding.encode(read(data, type(noun))) == data


def test_arrays_in_another_order_of_memory_are_written_row_by_row():
    turned = examples(images=np.asfortranarray(examples().images))

    assert b"".join(streams.encoded(turned)) == encoding.encode(turned)


def test_arrays_are_aligned_and_can_be_written():
    noun = read(encoding.encode(examples()), ExampleSet)

    assert noun.images.flags.aligned and noun.images.flags.writeable


@pytest.mark.parametrize("noun", NOUNS, ids=lambda noun: type(noun).__name__)
@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data[:-1],
        lambda data: data[: len(data) // 2],
        lambda data: b"",
        lambda data: b"PK" + data,
        lambda data: data + b"\0",
    ],
)
def test_truncated_or_longer_bytes_are_refused(noun, spoil):
    with pytest.raises(DamagedFile):
        read(spoil(encoding.encode(noun)), type(noun))


@pytest.mark.parametrize("noun", [NOUNS[0], NOUNS[2], NOUNS[4], NOUNS[7]], ids=lambda noun: type(noun).__name__)
@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (b'"data_offsets":[0,', b'"data_offsets":[1,'),
        (b'"shape":[', b'"shape":[-'),
        (b'"shape":[', b'"shape":[9'),
    ],
)
def test_a_header_that_places_arrays_wrongly_is_refused(noun, right, wrong):
    data = encoding.encode(noun)

    assert right in data
    with pytest.raises(DamagedFile):
        read(data.replace(right, wrong), type(noun))


def test_a_file_of_another_kind_is_refused():
    with pytest.raises(DamagedFile, match="holds Scores, expected ExampleSet"):
        read(encoding.encode(NOUNS[7]), ExampleSet)

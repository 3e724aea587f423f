import json
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from small_nouns import NOUNS, examples
from touchstone.records import encoding
from touchstone.records.damage import DamagedFile
from touchstone.records.nouns import Checkpoint, ContractError, ExampleSet, Margins, Outputs


@pytest.mark.parametrize("noun", NOUNS, ids=lambda noun: type(noun).__name__)
def test_write_read_write_gives_equal_bytes(noun):
    data = encoding.encode(noun)

    again = encoding.encode(encoding.decode(data, type(noun)))

    assert again == data


def test_arrays_in_another_order_of_memory_are_written_row_by_row():
    turned = examples(images=np.asfortranarray(examples().images))

    assert encoding.encode(turned) == encoding.encode(examples())


def test_arrays_are_aligned_and_can_be_written():
    noun = encoding.decode(encoding.encode(examples()), ExampleSet)

    assert noun.images.flags.aligned and noun.images.flags.writeable


def test_weights_are_read_in_the_order_of_the_file():
    names = [f"layer{place}.weight" for place in range(20)]
    noun = replace(NOUNS[2], weights={name: np.zeros(2, np.float32) for name in names})
    data = encoding.encode(noun)

    assert sorted(names, key=lambda name: data.index(f'"weights.{name}"'.encode())) == list(
        encoding.decode(data, Checkpoint).weights
    )


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
def test_truncated_or_altered_bytes_are_refused(noun, spoil):
    with pytest.raises(DamagedFile):
        encoding.decode(spoil(encoding.encode(noun)))


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
        encoding.decode(data.replace(right, wrong), type(noun))


@pytest.mark.parametrize("count", [2**20, 2**40, 2**62, 2**64, 2**200])
@pytest.mark.parametrize("dtype", ["U8", "F32", "I64", "F4", "C64", "X1"])
def test_a_header_that_promises_more_than_the_file_has_takes_no_memory(dtype, count):
    size = count * 8
    array = f'"images":{{"dtype":"{dtype}","shape":[{count}],"data_offsets":[0,{size}]}}'
    header = f'{{"__metadata__":{{"touchstone":"{{}}"}},{array}}}'.encode()
    tracemalloc.start()

    with pytest.raises(DamagedFile):
        encoding.decode(len(header).to_bytes(8, "little") + header + bytes(64))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 2**18


@pytest.mark.parametrize("size", [2**20, 2**40, 2**63, 2**64 - 1])
def test_a_header_that_is_longer_than_the_file_is_refused(size):
    with pytest.raises(DamagedFile):
        encoding.decode(size.to_bytes(8, "little") + bytes(64))


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


def stored(metadata):
    """An artefact with metadata of somebody else's."""
    from safetensors.numpy import save

    arrays = {"logits": np.zeros((2, 3), np.float32), "labels": np.zeros(2, np.int64), "example_ids": np.arange(2)}
    text = metadata if isinstance(metadata, str) else json.dumps(metadata)
    return save(arrays, metadata={"touchstone": text})


METADATA = {
    "a list": [],
    "a text": '"Outputs"',
    "a number": 7,
    "nothing": None,
    "brackets": "[" * 10**6,
    "lists within lists": "[" * 900 + "]" * 900,
    "no kind": {"nested": []},
    "an unknown kind": {"kind": "os.system", "nested": []},
    "a kind that is a list": {"kind": [], "nested": []},
    "nested that is a number": {"kind": "Outputs", "nested": 7},
    "nested that holds numbers": {"kind": "Outputs", "nested": [7]},
    "nested twice": {"kind": "Outputs", "nested": ["features", "features"], "logits": 1},
    "another field": {"kind": "Outputs", "nested": [], "open": "/etc/passwd"},
    "a field of another kind": {"kind": "Outputs", "nested": [], "features": 7},
    "features that are a list": {"kind": "Outputs", "nested": [], "features": [1]},
    "a number of 5,000 digits": '{"kind": "Outputs", "nested": [], "features": ' + "1" * 5000 + "}",
    "means that are a number": {"kind": "Checkpoint", "nested": [], "mean": 7},
}


@pytest.mark.parametrize("case", METADATA)
def test_an_artefact_with_forged_metadata_is_a_damaged_file(case):
    with pytest.raises(DamagedFile):
        encoding.decode(stored(METADATA[case]), Outputs)


def test_an_artefact_of_arrays_alone_is_decoded_as_before():
    outputs = Outputs(np.zeros((2, 3), np.float32), np.zeros(2, np.int64), np.arange(2))

    assert np.array_equal(encoding.decode(encoding.encode(outputs), Outputs).logits, outputs.logits)

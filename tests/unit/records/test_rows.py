import json

import numpy as np
import pytest

from touchstone.records.encoding import encode
from touchstone.records.nouns import ExampleSet, Margins, Outputs
from touchstone.records.rows import DamagedFile, Rows, joined

COUNT = 11


def nouns():
    draw = np.random.default_rng(0)
    images = draw.random((COUNT, 2, 3, 3), dtype=np.float32)
    labels, ids = draw.integers(-1, 4, COUNT), draw.permutation(COUNT) * 7
    logits = draw.normal(size=(COUNT, 4)).astype(np.float32)
    found = draw.random(COUNT) < 0.5
    notes = {"licence": 'of "Käthe" \\ \n', "share": 0.1}
    return {
        "clean images": ExampleSet(images, labels, ids, "here"),
        "attacked images": ExampleSet(images, labels, ids, "here", notes, unquantised=images / 2),
        "outputs": Outputs(logits, labels, ids, {"penultimate": images[:, 0, 0]}, {"softmax_all": logits * 2}, logits),
        "outputs without features": Outputs(logits.astype(np.float64), labels, ids),
        "margins": Margins(np.where(found, 0.5, np.inf), found, labels, labels, ids, "linf", "fab"),
    }


def written(tmp_path, noun, name="noun"):
    (tmp_path / name).write_bytes(encode(noun))
    return Rows.at(tmp_path / name)


def rows_of(noun, first, last):
    arrays = {name: value[first:last] for name, value in vars(noun).items() if isinstance(value, np.ndarray)}
    nested = {
        name: {key: array[first:last] for key, array in value.items()}
        for name, value in vars(noun).items()
        if isinstance(value, dict) and name != "notes"
    }
    return type(noun)(**{**vars(noun), **arrays, **nested})


@pytest.mark.parametrize("kind", nouns())
def test_some_rows_of_a_file_are_the_bytes_of_a_noun_of_those_rows(tmp_path, kind):
    noun = nouns()[kind]
    rows = written(tmp_path, noun)

    found = b"".join(joined([(rows, 3, 8)], rows.about))

    assert found == encode(rows_of(noun, 3, 8))


@pytest.mark.parametrize("kind", nouns())
def test_parts_put_together_are_the_bytes_of_the_whole(tmp_path, kind):
    noun = nouns()[kind]
    ends = [(0, 4), (4, 5), (5, COUNT)]
    parts = [written(tmp_path, rows_of(noun, *span), f"part{span[0]}") for span in ends]

    found = b"".join(joined([(part, 0, len(part)) for part in parts], parts[0].about))

    assert found == encode(noun)


def test_no_piece_is_larger_than_what_is_asked_to_be_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("touchstone.records.rows.PIECE", 64)
    noun = nouns()["clean images"]
    rows = written(tmp_path, noun)

    pieces = list(rows.values("images", 0, COUNT))

    assert max(map(len, pieces)) == 64
    assert b"".join(pieces) == noun.images.tobytes()


def test_files_whose_arrays_differ_are_not_put_together(tmp_path):
    clean, attacked = (written(tmp_path, nouns()[kind], kind) for kind in ("clean images", "attacked images"))

    with pytest.raises(DamagedFile, match="its arrays are not those of"):
        list(joined([(clean, 0, 2), (attacked, 0, 2)], clean.about))


def test_what_is_no_noun_is_named(tmp_path):
    header = json.dumps({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    (tmp_path / "other").write_bytes(len(header).to_bytes(8, "little") + header + bytes(8))
    (tmp_path / "cut").write_bytes(encode(nouns()["margins"])[:-9])

    with pytest.raises(DamagedFile, match="other: not a whole artefact"):
        Rows.at(tmp_path / "other")
    cut = Rows.at(tmp_path / "cut")
    with pytest.raises(DamagedFile, match="cut: ends within found"):
        list(joined([(cut, 0, COUNT)], cut.about))

"""The rows of a set in the action cache are those of the bytes that its sidecar names."""

import numpy as np
import pytest

from touchstone.pipeline.auditing import leakage
from touchstone.pipeline.provenance import sidecar_files
from touchstone.records.encoding import encode
from touchstone.records.nouns import ExampleSet


def images(seed):
    levels = np.random.default_rng(seed).integers(0, 256, (5, 1, 4, 4))
    return ExampleSet(np.float32(levels / 255), np.zeros(5, np.int64), np.arange(5), "planted")


def test_altered_bytes_do_not_change_what_is_known_of_the_honest_ones(tmp_path, monkeypatch):
    monkeypatch.setenv("TOUCHSTONE_CACHE", str(tmp_path / "cache"))
    path, prepared = tmp_path / "test.safetensors", leakage.Prepared(None, tmp_path)
    sidecar_files.write_with_sidecar(path, encode(images(0)), {})

    path.write_bytes(encode(images(1)))
    altered = prepared._read(path)
    path.write_bytes(encode(images(0)))
    honest = prepared._read(path)

    assert (altered == leakage.rows_of(images(1))).all()
    assert (honest == leakage.rows_of(images(0))).all()
    monkeypatch.setattr(leakage, "decode", lambda *arguments: pytest.fail("read again"))
    assert (prepared._read(path) == honest).all()

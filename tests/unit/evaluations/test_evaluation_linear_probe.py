import numpy as np
import pytest

from touchstone.evaluations.linear_probe import linear_probe
from touchstone.records.nouns import Cell, Outputs

ROWS = 400


def outputs(entry, seed=0, signal=1.0, order=slice(None)):
    """Features of two classes: class 1 lies `signal` higher in the first of four, without noise."""
    generator = np.random.default_rng(7)
    labels = np.arange(ROWS) % 2
    features = generator.random((ROWS, 4)).astype(np.float32)
    features[:, 0] = signal * labels + (generator.random(ROWS) if signal == 0 else 0)
    ids = 3 * np.arange(ROWS)
    noun = Outputs(
        np.eye(2, dtype=np.float32)[labels][order], labels[order], ids[order], {"penultimate": features[order]}
    )
    return Cell(noun, f"{entry}.{seed}", entry, seed, "held_out")


def value(rows, metric, entry):
    return next(row for row in rows if (row.metric, row.entry) == (metric, entry))


def test_features_that_hold_the_class_are_read_and_those_that_do_not_are_at_chance():
    rows = linear_probe([outputs("encoder"), outputs("pixels", signal=0)], against=["pixels"], resamples=50)

    assert value(rows, "probe_accuracy", "encoder").value == 1
    assert value(rows, "probe_accuracy", "encoder").n == ROWS / 2
    chance = value(rows, "probe_accuracy", "pixels").value
    assert abs(chance - 0.5) < 0.15
    gain = value(rows, "probe_accuracy_minus_pixels", "encoder")
    assert gain.value == pytest.approx(1 - chance)
    assert gain.low > 0.3
    assert gain.files == ("encoder.0", "pixels.0")


def test_equal_features_differ_by_nothing():
    rows = linear_probe([outputs("encoder"), outputs("pixels")], against=["pixels"], resamples=50)

    assert value(rows, "probe_accuracy_minus_pixels", "encoder").value == 0


def test_no_image_is_both_learned_from_and_tested_on():
    # The class is the parity of the row, and the only feature is the row itself: it can be learned by heart only.
    labels, ids = np.arange(ROWS) % 2, np.arange(ROWS)
    features = np.eye(ROWS, dtype=np.float32)
    cell = Cell(
        Outputs(np.zeros((ROWS, 2), np.float32), labels, ids, {"penultimate": features}), "o", "net", 0, "held_out"
    )

    assert abs(value(linear_probe([cell]), "probe_accuracy", "net").value - 0.5) < 0.1


def test_the_order_of_rows_does_not_matter():
    shuffled = np.random.default_rng(0).permutation(ROWS)

    assert linear_probe([outputs("encoder", signal=0, order=shuffled)]) == linear_probe([outputs("encoder", signal=0)])


def test_a_network_without_outputs_is_refused():
    with pytest.raises(ValueError, match="no outputs of softmax"):
        linear_probe([outputs("encoder")], against=["softmax"])

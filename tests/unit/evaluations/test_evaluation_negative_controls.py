import numpy as np

from touchstone.evaluations.negative_controls import negative_controls
from touchstone.records.nouns import Cell, Scores

SETTINGS = {"id_examples": "digits", "resamples": 100}


def scores(examples, values):
    noun = Scores(np.asarray(values, dtype=float), np.arange(len(values)), np.zeros(len(values), dtype=np.int64))
    return Cell(noun, f"scores/{examples}", entry="cnn", seed=0, detector="msp", examples=examples)


def found(known, anomalous):
    rows = negative_controls([scores("digits", known), scores("uniform", anomalous)], **SETTINGS)
    return {row.metric: row for row in rows}


def test_a_detector_that_tells_everything_apart_is_at_chance_on_both_controls():
    known = np.random.default_rng(0).normal(size=1500)

    rows = found(known, known + 100)

    for metric in ("auroc_halves", "auroc_shuffled"):
        assert abs(rows[metric].value - 0.5) < 0.03
        assert rows[metric].low <= 0.5 <= rows[metric].high
    assert (rows["auroc_halves"].n, rows["auroc_shuffled"].n) == (1500, 3000)


def test_halves_are_drawn_and_not_cut_where_the_order_of_rows_says_something():
    assert abs(found(np.arange(1500.0), np.arange(1500.0))["auroc_halves"].value - 0.5) < 0.03

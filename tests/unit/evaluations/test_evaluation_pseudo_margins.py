from dataclasses import replace

import numpy as np
import pytest

from touchstone.evaluations.pseudo_margins import pseudo_margins
from touchstone.records.nouns import Cell, Margins, Outputs


def cells(seed, examples, rows=200, entry="cnn"):
    """Input margins that the first feature gives, and logit margins that have nothing to do with it."""
    generator = np.random.default_rng(seed)
    features = generator.random((rows, 4)).astype(np.float32)
    values = 0.05 + 0.3 * features[:, 0].astype(np.float64)
    logits = np.stack([1 + generator.random(rows), np.zeros(rows)], axis=1).astype(np.float32)
    labels, ids = np.zeros(rows, dtype=np.int64), np.arange(rows)
    place = {"entry": entry, "seed": 0, "examples": examples}
    margins = Margins(values, np.ones(rows, bool), labels, labels, ids, "linf", "fab")
    return [Cell(margins, f"m {examples}", margin="fab", **place)], [
        Cell(Outputs(logits, labels, ids, {"penultimate": features}), f"o {examples}", **place)
    ]


def values(rows):
    return {row.metric: row.value for row in rows}


def test_a_margin_that_the_features_hold_is_learned_and_one_that_the_logits_lack_is_not():
    rows = pseudo_margins(*cells(0, "test"), *cells(1, "held_out"), eps=0.2, resamples=50)

    found = values(rows)
    assert found["kendall_tau_pseudo"] > 0.8 and found["kendall_tau_pseudo_features_sqrt"] > 0.8
    assert abs(found["kendall_tau_pseudo_logits_scaled"]) < 0.3
    assert found["kendall_tau_gain"] > 0.6 and found["brittle_auroc_pseudo"] > 0.95
    assert {row.examples for row in rows} == {"test/linf"}


def test_the_choice_of_input_and_target_decides_what_the_gain_is_of():
    rows = pseudo_margins(
        *cells(0, "test"), *cells(1, "held_out"), inputs="logits", target="sqrt", eps=0.2, resamples=50
    )

    found = values(rows)
    assert found["kendall_tau_pseudo"] == found["kendall_tau_pseudo_logits_sqrt"]


def test_two_runs_give_the_same_rows():
    given = (*cells(0, "test", 60), *cells(1, "held_out", 60))

    assert pseudo_margins(*given, epochs=20, resamples=10) == pseudo_margins(*given, epochs=20, resamples=10)


def test_a_classifier_without_held_out_margins_is_refused():
    with pytest.raises(ValueError, match=r"no held-out margins of cnn.0"):
        pseudo_margins(*cells(0, "test"), *cells(1, "held_out", entry="mlp"))


def test_a_network_without_any_held_out_margin_that_was_found_has_no_rows():
    (held_out,), outputs = cells(1, "held_out")
    none = Margins(
        np.full(200, np.inf),
        np.zeros(200, bool),
        *(held_out.noun.predictions, held_out.noun.labels, held_out.noun.example_ids, "linf", "fab"),
    )

    assert pseudo_margins(*cells(0, "test"), [replace(held_out, noun=none)], outputs, resamples=10) == []

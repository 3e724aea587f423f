"""Passes per image are told per attack and victim; a study without attacks has none to tell."""

import numpy as np
import pytest

from touchstone.evaluations.effort import effort
from touchstone.records.nouns import Cell, ExampleSet


def attacked(attack, seed=0, **notes):
    noun = ExampleSet(np.zeros((4, 1, 2, 2), np.float32), np.zeros(4, np.int64), np.arange(4), "s", notes)
    settings = {"use": f"attacks/{attack}", "eps": 0.1}
    return Cell(noun, f"{attack}.{seed}", "cnn", seed, "test", attack, f"cnn.{seed}", settings=settings)


def test_each_attack_has_a_row_per_kind_of_pass():
    rows = effort([attacked("pgd", forward_passes=41.0, gradient_passes=40.0)])

    assert [(row.entry, row.metric, row.value, row.n) for row in rows] == [
        ("cnn.0", "forward_passes", 41.0, 4),
        ("cnn.0", "gradient_passes", 40.0, 4),
    ]


def test_seeds_are_averaged():
    rows = effort([attacked("pgd", seed, forward_passes=seed, gradient_passes=0) for seed in (0, 2)])

    assert [row.value for row in rows if row.metric == "forward_passes_mean"] == [1.0]


def test_clean_sets_cost_nothing_and_alone_are_refused():
    clean = Cell(attacked("pgd").noun, "clean", examples="test")

    with pytest.raises(ValueError, match="no set here was attacked"):
        effort([clean])

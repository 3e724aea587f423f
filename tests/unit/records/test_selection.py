"""Rows of a noun."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from touchstone.records.selection import select_rows


@dataclass(frozen=True)
class Readings:
    ids: np.ndarray
    features: dict = field(default_factory=dict)
    name: str = "cnn"


READINGS = Readings(np.arange(4), {"last": np.eye(4), "seed": 3})


@pytest.mark.parametrize("rows", [[1, 3], slice(1, None, 2), np.array([False, True, False, True])])
def test_every_array_keeps_the_selected_rows_and_nothing_else_changes(rows):
    some = select_rows(READINGS, rows)
    assert some.ids.tolist() == [1, 3]
    assert some.features["last"].tolist() == np.eye(4)[[1, 3]].tolist()
    assert (some.name, some.features["seed"]) == ("cnn", 3)


def test_one_row_keeps_its_axis():
    assert select_rows(READINGS, [2]).features["last"].shape == (1, 4)

import hashlib

import numpy as np
import pytest

from touchstone.data.ingest.splits import rows_of_part, stratified_order

SHARES = {"train": 45, "validation": 10, "calibration": 10, "detector_train": 15, "test": 20}


def test_stratified_order_of_one_class_is_the_order_of_the_hashes():
    by_hand = sorted(range(6), key=lambda row: hashlib.sha256(f"7/{row}".encode()).digest())

    assert stratified_order(np.zeros(6, np.int64), 7).tolist() == by_hand


def test_every_run_of_a_stratified_order_holds_the_classes_in_proportion():
    labels = np.repeat([0, 1, 2], [50, 30, 20])

    order = labels[stratified_order(labels, 0)]

    for start in range(0, 80, 7):
        counts = np.bincount(order[start : start + 20], minlength=3)
        assert np.abs(counts - [10, 6, 4]).max() <= 1


def test_parts_are_disjoint_ascending_and_hold_every_row():
    labels = np.random.default_rng(0).integers(0, 10, 997)

    parts = {part: rows_of_part(labels, SHARES, part, seed=0) for part in SHARES}

    assert sorted(np.concatenate(list(parts.values())).tolist()) == list(range(997))
    assert all((np.diff(rows) > 0).all() for rows in parts.values())
    assert [len(rows) for rows in parts.values()] == [449, 99, 100, 150, 199]


def test_another_seed_splits_otherwise_and_the_same_seed_alike():
    labels = np.arange(200) % 10

    first, again, other = (rows_of_part(labels, SHARES, "test", seed=seed).tolist() for seed in (0, 0, 1))

    assert first == again != other


def test_a_smaller_limit_takes_a_stratified_subset_of_a_larger_one():
    labels = np.arange(1000) % 10

    small, large = (rows_of_part(labels, SHARES, "train", seed=0, limit=limit) for limit in (20, 50))

    assert set(small) < set(large)
    assert np.bincount(labels[small]).tolist() == [2] * 10


def test_a_limit_below_the_number_of_classes_does_not_always_take_the_same_class():
    labels = np.arange(100) % 10

    taken = {int(labels[rows_of_part(labels, SHARES, "train", seed=seed, limit=1)[0]]) for seed in range(20)}

    assert len(taken) > 4


def test_limit_and_part_are_checked():
    labels = np.arange(100) % 10

    with pytest.raises(ValueError, match="limit must be at most 20, the rows of test, got 21"):
        rows_of_part(labels, SHARES, "test", seed=0, limit=21)
    with pytest.raises(ValueError, match="part must be one of train"):
        rows_of_part(labels, SHARES, "tests", seed=0)

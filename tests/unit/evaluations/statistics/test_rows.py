from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pytest
from scipy import stats

from touchstone.evaluations.statistics import intervals, rank_intervals, seed_intervals
from touchstone.evaluations.statistics.intervals import Interval
from touchstone.evaluations.statistics.rows import (
    ends_of,
    grouped,
    measured,
    of_images,
    only,
    place,
    rate_row,
    row,
    rows_of,
    with_means,
)  # fmt: skip
from touchstone.evaluations.statistics.seed_intervals import SIGNED
from touchstone.records.metric_tables import Metrics
from touchstone.records.nouns import Cell

CLEAN = Cell(None, "clean.safetensors", entry="cnn", seed=0, examples="digits")


def attacked(seed=0, victim=None, **more):
    return Cell(
        None, f"attacked.{seed}.safetensors", entry="cnn", seed=seed, examples="digits", attack="pgd",
        victim=victim or f"cnn.{seed}", settings={"use": "pgd", "eps": 0.1}, **more,
    )  # fmt: skip


def accuracy(cell, value, n=10):
    return row("robust_accuracy", Interval(value, value - 0.1, value + 0.1), cell=cell, n=n, files=[cell, CLEAN])


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (CLEAN, "digits"),
        (attacked(), "digits/pgd"),
        (attacked(victim="mlp.2"), "digits/mlp/pgd"),
        (attacked(victim="cnn.1"), "digits/cnn/pgd"),
        (attacked(victim="cnn.0+energy@0.05"), "digits/cnn+energy@0.05/pgd"),
        (attacked(translator="unet.0"), "digits/pgd/unet"),
    ],
)
def test_a_place_names_set_foreign_victim_attack_and_translator_without_seeds(cell, expected):
    assert place(cell) == expected


def test_a_row_names_each_file_once_and_has_no_infinite_end():
    found = row("auroc", Interval(0.5, None, np.inf), cell=attacked(), n=3, files=[CLEAN, attacked(), CLEAN])

    assert found.files == ("clean.safetensors", "attacked.0.safetensors")
    assert (found.low, found.high) == (None, None)
    assert Metrics([found])


def test_images_belong_to_no_classifier_and_have_the_seed_of_what_made_them():
    assert of_images(attacked(seed=2)).seed == 2
    assert of_images(attacked(translator="unet.1")).seed == 1
    assert of_images(CLEAN) == Cell(None, "clean.safetensors", examples="digits")


def test_means_over_seeds_follow_the_rows_with_least_and_greatest():
    rows = [accuracy(attacked(seed), value, n) for seed, value, n in ((0, 0.5, 9), (1, 0.9, 10), (2, 0.4, 11))]

    found = with_means(rows)

    assert found[:3] == rows
    mean = found[3]
    assert mean.metric == "robust_accuracy_mean" and measured(mean.metric) == "robust_accuracy"
    assert (mean.value, mean.low, mean.high, mean.n) == (pytest.approx(0.6), 0.4, 0.9, 9)
    assert (mean.seed, str(mean.threat)) == (None, "white-box linf eps=0.1 (pgd)")
    assert list(mean.files) == [
        "attacked.0.safetensors", "clean.safetensors", "attacked.1.safetensors", "attacked.2.safetensors",
    ]  # fmt: skip


class Images(NamedTuple):
    example_ids: Any


def hits_of(seed, hits, order=None, among=None):
    """A rate of one network on images whose rows are in some order."""
    order = np.arange(len(hits)) if order is None else order
    cell = Cell(Images(np.arange(len(hits))[order]), f"out.{seed}", entry="cnn", seed=seed, examples="digits")
    return rate_row("accuracy", hits[order], cell, among=None if among is None else among[order])


def test_the_mean_of_shares_has_the_interval_of_networks_and_images():
    generator = np.random.default_rng(0)
    hits = (generator.normal(size=(5, 400)) + generator.normal(size=400)) < 1

    *rows, mean = with_means([hits_of(seed, one) for seed, one in enumerate(hits)])

    spread = seed_intervals.spread(
        hits.mean(axis=1), np.stack([intervals.share(one).resampled.samples for one in hits]), 400
    )
    assert (mean.low, mean.high) == seed_intervals.ends(
        mean.value, spread.variance, spread.df, 400, seed_intervals.SCORE
    )
    assert (mean.seeds, mean.images, mean.method) == ((0, 1, 2, 3, 4), 400, seed_intervals.SCORE)
    assert (mean.seed_variance, mean.image_variance, mean.residual_variance) == spread[2:]
    assert mean.high - mean.low < np.mean([one.high - one.low for one in rows])
    assert [one.resampled for one in (*rows, mean)] == [None] * 6


def test_the_order_of_the_rows_of_each_network_changes_no_mean():
    generator = np.random.default_rng(0)
    hits, among = generator.random((2, 3, 200)) < 0.6
    orders = [generator.permutation(200) for _ in hits]

    plain, mixed = (
        with_means([hits_of(seed, hits[seed], order[seed], among[seed]) for seed in range(3)])[-1]
        for order in ([None] * 3, orders)
    )

    assert mixed == plain
    assert mixed.residual_variance > 0


def test_networks_that_saw_other_numbers_of_images_are_taken_to_share_what_they_can():
    hits = np.random.default_rng(0).random((2, 200)) < 0.6

    mean = with_means([hits_of(0, hits[0]), hits_of(1, hits[1][:150])])[-1]

    assert (mean.images, mean.residual_variance) == (150, 0)


def test_no_success_of_any_network_is_bounded_by_the_images_that_count():
    among = np.arange(359) < 10

    mean = with_means([hits_of(seed, np.zeros(359, bool), among=among) for seed in range(3)])[-1]

    t = stats.t.ppf(0.975, 358)
    assert (mean.low, mean.high) == pytest.approx((0, t**2 / (10 + t**2)))
    assert (mean.images, mean.n) == (359, 10)


@pytest.mark.parametrize("seeds", [1, 4])
def test_the_ends_are_found_again_from_the_columns_of_a_row(seeds):
    hits = np.random.default_rng(0).random((seeds, 200)) < 0.6

    row = with_means([hits_of(seed, one) for seed, one in enumerate(hits)])[-1]

    assert ends_of(row, 0.95) == pytest.approx((row.low, row.high))
    narrow, wide = ends_of(row, 0.5), ends_of(row, 0.99)
    assert wide[0] < row.low < narrow[0] and narrow[1] < row.high < wide[1]


@pytest.mark.parametrize("unit", ["fraction", ""])
def test_no_interval_of_a_share_reaches_beyond_0_or_1(unit):
    """A t interval does, of a share that is almost always 0 or 1."""
    rare = np.r_[np.zeros(60), 0.01]
    for values, beyond in ((rare, lambda one: one.low < 0), (1 - rare, lambda one: one.high > 1)):
        interval = intervals.mean(values, resamples=200, seed=0)
        rows = with_means(
            [row("m", interval, cell=replace(CLEAN, seed=seed), n=61, files=[], unit=unit) for seed in (0, 1)]
        )
        again = [ends_of(one, 0.99) for one in rows]

        assert [beyond(one) for one in rows] == [unit == ""] * 3
        assert all(low >= 0 and high <= 1 for low, high in again) == (unit == "fraction")


def test_a_single_seed_has_no_mean():
    rows = [accuracy(attacked(0), 0.5)]

    assert with_means(rows) == rows


def test_transfer_from_several_seeds_is_one_mean_that_names_the_victim_without_seed():
    found = with_means([accuracy(attacked(seed, victim=f"mlp.{seed}"), 0.5) for seed in (0, 1)])

    assert str(found[2].threat) == "transfer from mlp linf eps=0.1 (pgd)"


def test_decimals_in_a_metric_are_no_seeds():
    rows = [replace(accuracy(attacked(seed), 0.5), metric="robust_accuracy_at_0.05") for seed in (0, 1)]

    assert with_means(rows)[2].metric == "robust_accuracy_at_0.05_mean"


def test_rows_are_found_by_id_whatever_their_order():
    ids = np.array([7, 3, 9, 1])

    np.testing.assert_array_equal(rows_of(ids, np.array([9, 7]), "set"), [2, 0])


def test_missing_ids_are_counted():
    with pytest.raises(ValueError, match=r"scores\.safetensors: 2 of 3 example ids are missing"):
        rows_of(np.array([1, 2]), np.array([2, 0, 5]), "scores.safetensors")


def test_only_says_what_it_looked_for():
    assert only([CLEAN], "clean digits") is CLEAN
    with pytest.raises(ValueError, match="one file with clean digits: none is given"):
        only([], "clean digits")
    with pytest.raises(ValueError, match=r"clean\.safetensors, clean\.safetensors"):
        only([CLEAN, CLEAN], "clean digits")


def test_groups_keep_the_order_of_first_occurrence():
    cells = [attacked(1), CLEAN, attacked(1)]

    assert [len(group) for group in grouped(cells, lambda cell: cell.seed).values()] == [2, 1]


@pytest.mark.parametrize("split", [False, True])
def test_of_images_of_which_few_count_a_row_and_a_mean_show_no_more_than_these(split):
    anomalous = np.arange(300) < 10
    scores = np.where(anomalous, 9.0, 0.0) + np.linspace(0, 1, 300)
    sampling: dict[str, Any] = {"resamples": 100, "seed": 0}
    auroc = (
        rank_intervals.split_detection(scores, anomalous, **sampling)
        if split
        else rank_intervals.detection(np.linspace(0, 1, 300), scores, **sampling, counted=anomalous)
    )["auroc"]
    n, rate = (300, 10 / 300) if split else (310, 10 / 310)
    rows = [row("auroc", auroc, cell=attacked(seed), n=n, base_rate=rate, files=[CLEAN]) for seed in range(3)]

    for one in with_means(rows):
        assert one.low < 0.75
        assert ends_of(one, 0.95) == pytest.approx((one.low, one.high))


def test_no_interval_of_a_distance_reaches_below_0():
    interval = intervals.mean(np.r_[np.zeros(60), 4.0], resamples=200, seed=0)

    rows = with_means(
        [row("m", interval, cell=replace(CLEAN, seed=seed), n=61, files=[], unit="pixels") for seed in (0, 1)]
    )

    assert interval.low < 0
    assert [(one.low, one.high > interval.value) for one in rows] == [(0, True)] * 3


@pytest.mark.parametrize("others", [124, 125, 126, 130, 400])
def test_of_two_kinds_of_images_the_rarer_one_bounds_what_a_mean_can_show(others):
    """The 625 that are resampled stand for the images of several networks, of which each has 500 known ones."""
    interval = intervals.from_samples(0.3, np.full(200, 0.3), (625, 625), SIGNED)
    share = others / (500 + others)
    rows = [
        row("m", interval, cell=replace(CLEAN, seed=seed), n=500 + others, files=[], unit="difference", base_rate=share)
        for seed in range(5)
    ]
    few = intervals.from_samples(0.3, np.full(200, 0.3), (625, 625), SIGNED, counted=others)

    mean = with_means(rows)[-1]

    assert mean.high - mean.low == pytest.approx(few.high - few.low, rel=0.02)

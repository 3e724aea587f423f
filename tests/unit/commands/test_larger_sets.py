"""How many images a number could have: chains of subsets, means over sets, and sets that cannot grow."""

import numpy as np
import pytest

from touchstone.commands._larger_sets import LargerSets
from touchstone.data.subset import subset
from touchstone.records.metric_rows import Threat
from touchstone.records.metric_tables import MetricRow
from touchstone.records.nouns import ExampleSet
from touchstone.settings.study import load


def part(of, count, skip=0, split_seed=0):
    return {"use": "data/subset", "of": of, "count": count, "skip": skip, "split_seed": split_seed}


def made(use, of=None, **more):
    return {"use": f"data/{use}", "of": of, **more}


def row(examples="attacked/pgd", n=500, images=500, base_rate=None):
    return MetricRow(
        "mine", "cnn", examples, "accuracy", 0.9, "fraction", 0.8, 1.0, n, base_rate, 0, Threat(), (), images=images
    )


# As in fashion_mnist: 500 images of the second thousand of a test set, and few images of other sets.
EXAMPLES = {
    "test": made("fashion_mnist"), "second": part("test", 1000, skip=1000), "attacked": part("second", 500),
    "darker": made("natural_shift", "attacked"), "noisy": made("corruption", "darker"),
    "few": part("second", 100), "faces": made("faces"), "few_faces": part("faces", 50),
    "uniform": made("uniform_noise", count=1000),
}  # fmt: skip
WHOLE = [row("test", 10_000, 10_000), row("faces", 100, 100)]


@pytest.fixture
def sets():
    return LargerSets(EXAMPLES, WHOLE)


def test_a_subset_of_a_subset_grows_up_to_the_set_behind_both_less_what_is_skipped(sets):
    assert sets.limit("attacked") == sets.limit("second") == 9_000
    assert sets.images(row(), ["attacked"]) == 9_000
    assert sets.enlarged(row(), ["attacked"], 757) == {"attacked": 757}
    assert sets.enlarged(row(), ["attacked"], 500) == {}


@pytest.mark.parametrize(
    ("place", "count"), [({}, 150), ({}, 200), ({"of": "test", "skip": 100, "split_seed": 7}, 250)]
)
def test_a_larger_subset_has_all_images_of_the_smaller(place, count):
    images = np.zeros((400, 1, 2, 2), np.float32)
    test = ExampleSet(images, np.arange(400) * 7 % 10, np.arange(400), "digits")
    drawn = {"test": test, "pool": subset(test, count=200, skip=100, split_seed=7)}

    def draw(of="pool", **settings):
        return set(subset(drawn[of], **settings).example_ids)

    before, after = draw(count=120), draw(**place, count=count)  # one that outgrows its set takes the place of that

    assert len(after) == count and before < after


def test_the_images_of_fashion_mnist_can_grow():
    sets = LargerSets(load("fashion_mnist")["examples"], [row("fashion_test", 10_000, 10_000)])

    assert sets.limit("fashion_attacked") == 3_000  # then come those of unseen classes


def test_a_subset_that_skips_images_of_another_does_not_outgrow_it():
    sets = LargerSets(EXAMPLES | {"late": part("second", 200, skip=600)}, WHOLE)

    assert sets.limit("late") == 400
    assert sets.limit("attacked") == 600  # it ends where the images begin that `late` keeps apart


def test_images_that_are_kept_apart_stay_apart():
    blocks = {"test": made("digits"), "tested": part("test", 200), "chosen_on": part("test", 150, skip=200)}

    assert LargerSets(blocks, [row("test", 359, 359)]).limit("tested") == 200


def test_a_set_that_no_number_counts_lets_its_subsets_grow_into_one_another():
    assert LargerSets(EXAMPLES, []).limit("attacked") == 1000


def test_a_number_of_two_populations_does_not_count_a_set():
    paired = row("faces", 600, 100)  # 500 known images and 100 faces

    assert LargerSets(EXAMPLES, [paired]).limit("few_faces") == 50
    assert LargerSets(EXAMPLES, [paired, *WHOLE]).limit("few_faces") == 100


def test_the_set_with_the_least_room_limits_a_mean_over_sets(sets):
    mean = row("mean_of_sets/score_05", 150, 100)

    assert sets.images(mean, ["few", "few_faces"]) == 200  # there are twice as many faces
    assert sets.enlarged(mean, ["few", "few_faces"], 150) == {"few": 150, "few_faces": 75}


@pytest.mark.parametrize(
    ("number", "names"),
    [
        (row("uniform", 1500, 500, 0.6), ["attacked", "uniform"]),  # generated images, which are no subset
        (row("attacked/linf", 500, 20), ["attacked"]),  # a sample of 20 of 500 images
        (row("test", 500, 500), ["test"]),
        (row("attacked", 500, 500), []),  # the settings changed since the report
    ],
)
def test_a_number_that_cannot_grow_keeps_its_images(sets, number, names):
    assert sets.images(number, names) == number.images


def test_a_number_of_some_of_the_images_grows_as_the_set_does(sets):
    half = row("attacked", 250, 250)

    assert sets.images(half, ["attacked"]) == 4_500
    assert sets.enlarged(half, ["attacked"], 301) == {"attacked": 602}


def test_a_set_that_is_made_image_by_image_grows_with_its_subset(sets):
    assert sets.images(row("noisy"), ["attacked", "noisy"]) == 9_000
    assert sets.enlarged(row("noisy"), ["attacked", "noisy"], 600) == {"attacked": 600}

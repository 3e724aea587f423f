"""Images of unknown classes, over splits of the classes."""

import numpy as np
import pytest
from scipy import stats

from touchstone.evaluations.open_set import open_set
from touchstone.records.class_splits import class_order
from touchstone.records.nouns import Cell, Scores

LABELS = np.arange(40) % 10
QUICK = {"resamples": 50}


def scores(net, detector, values, labels=LABELS, seed=0):
    noun = Scores(np.asarray(values, dtype=float), np.arange(len(values)), np.asarray(labels))
    return Cell(noun, f"{net}.{seed}/{detector}", entry=net, seed=seed, detector=detector, examples="digits")


def unknown(split):
    return np.isin(LABELS, class_order(split, 10)[6:])


def one(rows, metric, entry):
    return next(row for row in rows if (row.metric, row.entry) == (metric, entry))


def study(splits=(0, 1, 2)):
    """Return cells: each net's own detector is perfect, another's is reversed, and msp is constant."""
    cells = []
    for split in splits:
        cells.append(scores(f"net_{split}", "msp", np.zeros(40)))
        cells += [
            scores(f"net_{split}", f"own_{other}", unknown(split) * (1.0 if other == split else -1.0))
            for other in splits
        ]
    lists = {"networks": [f"net_{s}" for s in splits], "learned": [f"own_{s}" for s in splits], "splits": list(splits)}
    return cells, lists | QUICK


def test_each_split_has_its_own_unknown_classes_and_its_own_detector():
    cells, settings = study()

    rows = open_set(cells, **settings)

    assert [one(rows, "auroc", f"net_{s}+own_{s}").value for s in range(3)] == [1, 1, 1]
    assert one(rows, "auroc", "net_1+msp").value == 0.5
    assert not [row for row in rows if row.entry == "net_0+own_1"]
    assert one(rows, "auroc", "net_0+own_0").base_rate == pytest.approx(0.4)


def test_the_mean_over_splits_has_the_splits_as_its_seeds():
    cells, settings = study()

    rows = open_set(cells, **settings)

    mean = one(rows, "auroc_mean", "mean_of_splits+learned")
    assert (mean.value, mean.seeds, mean.n) == (1, (0, 1, 2), 40)
    assert len(mean.files) == 3
    less = one(rows, "auroc_minus_msp_mean", "mean_of_splits+learned")
    assert (less.value, less.unit) == (0.5, "difference")
    assert one(rows, "auroc_mean", "mean_of_splits+msp").value == 0.5


def test_each_unknown_class_is_measured_against_the_known_ones():
    cells, settings = study((0,))
    rows = open_set(cells, **settings)

    classes = {int(row.metric.removeprefix("auroc_class_")): row for row in rows if "_class_" in row.metric}
    assert set(classes) == set(class_order(0, 10)[6:])
    assert {row.n for row in classes.values()} == {24 + 4}
    assert {row.value for row in classes.values()} == {1.0}
    assert not [row for row in rows if row.entry.startswith("mean_of_splits")]


def test_the_interval_of_the_mean_is_that_of_networks_that_see_the_same_images():
    generator = np.random.default_rng(0)
    cells, settings = study()
    cells = [scores(f"net_{s}", f"own_{s}", unknown(s) + generator.normal(size=40)) for s in range(3)]
    rows = open_set(cells, **settings)

    mean = one(rows, "auroc_mean", "mean_of_splits+learned")
    values = [one(rows, "auroc", f"net_{s}+own_{s}").value for s in range(3)]
    assert mean.value == pytest.approx(np.mean(values))
    assert mean.low < mean.value < mean.high
    assert mean.images == 40 and mean.seed_variance is not None  # the crossed interval, not a range


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"splits": [0]}, "as many"),
        ({"networks": ["net_0", "net_1", "net_9"]}, "no scores of net_9"),
        ({"learned": ["own_0", "own_1", "own_9"]}, r"no scores of net_2\.0 and own_9"),
    ],
)
def test_lists_that_do_not_fit_are_refused(change, message):
    cells, settings = study()

    with pytest.raises(ValueError, match=message):
        open_set(cells, **settings | change)


def test_two_seeds_of_one_network_are_refused_if_splits_are_averaged():
    cells, settings = study()
    cells.append(scores("net_0", "own_0", np.zeros(40), seed=1))

    with pytest.raises(ValueError, match="net_0 has 2 seeds"):
        open_set(cells, **settings)


def test_a_nominal_interval_of_the_mean_holds_the_truth_over_new_splits_and_images():
    """Classes differ in how hard they are, and networks in luck; five random splits see the same 300 images."""
    hits, runs = 0, 60
    shift = np.linspace(0.3, 1.7, 10)  # how far the scores of an unknown class are from those of known ones
    labels = np.arange(300) % 10
    truths = [np.mean([_normal_auroc(shift[label]) for label in class_order(split, 10)[6:]]) for split in range(3000)]
    truth = float(np.mean(truths))
    for run in range(runs):
        generator = np.random.default_rng(run)
        image = generator.normal(size=300)
        splits = [int(split) for split in generator.integers(0, 10**6, 5)]
        cells = []
        for split in splits:
            away = shift[labels] * np.isin(labels, class_order(split, 10)[6:])
            values = away + np.sqrt(0.5) * image + np.sqrt(0.5) * generator.normal(size=300)
            cells.append(scores(f"net_{split}", f"own_{split}", values, labels))
        lists = {"networks": [f"net_{s}" for s in splits], "learned": [f"own_{s}" for s in splits], "splits": splits}
        mean = one(open_set(cells, **lists, resamples=100), "auroc_mean", "mean_of_splits+learned")
        hits += mean.low <= truth <= mean.high

    assert hits >= 0.9 * runs


def _normal_auroc(shift):
    return stats.norm.cdf(shift / np.sqrt(2))


def test_a_set_without_one_of_the_classes_is_refused_before_unknown_ones_are_taken_for_known():
    labels = np.where(LABELS == 3, 4, LABELS)

    with pytest.raises(ValueError, match="digits has no image of class 3"):
        open_set([scores("net", "own", np.zeros(40), labels)], networks=["net"], learned=["own"], splits=[0])

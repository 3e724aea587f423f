"""Detectors of one kind of anomaly each, against the best detector of none."""

import numpy as np
import pytest

from touchstone.evaluations.chosen_baseline import chosen_baseline
from touchstone.evaluations.statistics import estimators
from touchstone.records.nouns import Cell, Scores

SETTINGS = {
    "id_examples": "clean",
    "sets": ["noise", "blur"],
    "learned": ["of_noise", "of_blur"],
    "choice_id": "other_clean",
    "choice_sets": ["other_noise", "other_blur"],
    "resamples": 50,
}
# {detector: how far the scores of {set} lie above those of clean images}
LIFT = {
    "of_noise": {"noise": 3, "blur": -3, "other_noise": 9, "other_blur": 9},
    "of_blur": {"noise": -3, "blur": 3, "other_noise": 9, "other_blur": 9},
    "good_at_choice": {"noise": 0.3, "blur": 0.3, "other_noise": 2, "other_blur": 2},
    "good_at_test": {"noise": 2, "blur": 2, "other_noise": 0.3, "other_blur": 0.3},
}
RANDOM = np.random.default_rng(0)
DRAWN = {
    name: RANDOM.normal(size=60) for name in ("clean", "noise", "blur", "other_clean", "other_noise", "other_blur")
}


def cells(seed=0, detectors=tuple(LIFT)):
    return [
        Cell(
            Scores(DRAWN[name] + LIFT[detector].get(name, 0), np.arange(60), np.zeros(60, int)),
            f"net.{seed}/{detector}/{name}",
            entry="net",
            seed=seed,
            detector=detector,
            examples=name,
        )
        for detector in detectors
        for name in DRAWN
    ]


def value(rows, metric, entry, examples):
    (found,) = [row for row in rows if (row.metric, row.entry, row.examples) == (metric, entry, examples)]
    return found.value


def auroc(detector, name):
    return estimators.auroc(DRAWN["clean"], DRAWN[name] + LIFT[detector][name])


def test_the_baseline_is_the_best_on_the_images_of_the_choice_not_on_those_of_the_test():
    rows = chosen_baseline(cells(), **SETTINGS)

    for name in ("noise", "blur"):
        assert value(rows, "auroc", "net+chosen", name) == pytest.approx(auroc("good_at_choice", name))
    assert value(rows, "choice_auroc", "net+good_at_choice", "mean_of_sets") > 0.8
    assert value(rows, "choice_auroc", "net+good_at_test", "mean_of_sets") < 0.7


def test_each_set_is_judged_by_the_detector_of_its_kind_and_paired_with_the_baseline():
    rows = chosen_baseline(cells(), **SETTINGS)

    gains = [auroc(f"of_{name}", name) - auroc("good_at_choice", name) for name in ("noise", "blur")]
    assert value(rows, "auroc_minus_chosen", "net+learned", "noise") == pytest.approx(gains[0])
    assert value(rows, "auroc_minus_chosen", "net+learned", "mean_of_sets") == pytest.approx(np.mean(gains))
    assert value(rows, "auroc", "net+learned", "mean_of_sets") > 0.9


def test_peers_are_compared_on_each_set_and_never_chosen():
    peers = {"noise_peer": {"noise": 1, "blur": -9}, "blur_peer": {"noise": -9, "blur": 1}}
    more = [
        Cell(
            Scores(DRAWN[name] + lift.get(name, 9), np.arange(60), np.zeros(60, int)),
            f"net.0/{detector}/{name}",
            entry="net",
            seed=0,
            detector=detector,
            examples=name,
        )
        for detector, lift in peers.items()
        for name in DRAWN
    ]
    rows = chosen_baseline([*cells(), *more], **SETTINGS, peers=list(peers))

    theirs = [
        estimators.auroc(DRAWN["clean"] + 9, DRAWN[name] + peers[f"{name}_peer"][name]) for name in ("noise", "blur")
    ]
    gains = [auroc(f"of_{name}", name) - peer for name, peer in zip(("noise", "blur"), theirs, strict=True)]
    assert value(rows, "auroc", "net+peers", "mean_of_sets") == pytest.approx(np.mean(theirs))
    assert value(rows, "auroc_minus_peers", "net+learned", "noise") == pytest.approx(gains[0])
    assert value(rows, "auroc_minus_peers", "net+learned", "mean_of_sets") == pytest.approx(np.mean(gains))
    assert value(rows, "auroc", "net+chosen", "noise") == pytest.approx(auroc("good_at_choice", "noise"))


def test_the_files_of_a_gain_include_those_that_chose_the_baseline():
    rows = chosen_baseline(cells(), **SETTINGS)

    (mean,) = [row for row in rows if (row.metric, row.examples) == ("auroc_minus_chosen", "mean_of_sets")]
    assert {"net.0/of_blur/blur", "net.0/good_at_choice/noise", "net.0/good_at_test/other_noise"} <= set(mean.files)


def test_each_network_chooses_for_itself_and_gains_are_averaged():
    rows = chosen_baseline([*cells(0), *cells(1)], **SETTINGS)

    (mean,) = [row for row in rows if (row.metric, row.examples) == ("auroc_minus_chosen_mean", "mean_of_sets")]
    assert (mean.seeds, mean.unit) == ((0, 1), "difference")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"learned": ["of_noise"]}, "sets and learned name 2 and 1"),
        ({"peers": ["good_at_test"]}, "sets and peers name 2 and 1"),
        ({"choice_sets": ["fog"]}, "no scores of net.0 and good_at_choice on fog"),
        ({"sets": ["noise", "fog"]}, "on fog"),
    ],
)
def test_what_is_missing_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        chosen_baseline(cells(), **SETTINGS | change)


def test_a_detector_for_none_of_the_kinds_is_needed():
    with pytest.raises(ValueError, match=r"every detector of net\.0 is in learned or peers"):
        chosen_baseline(cells(detectors=("of_noise", "of_blur")), **SETTINGS)

"""AUROC with the ID side, the OOD side or both attacked, on scores made by hand."""

import numpy as np
import pytest

from touchstone.evaluations.attacked_detection import attacked_detection
from touchstone.records.nouns import Cell, ExampleSet, Scores

ID, OOD = [1.0, 2.0, 3.0, 4.0], [3.5, 5.0, 6.0, 7.0]
ATTACKED_ID, ATTACKED_OOD = [5.5, 5.5, 5.5, 5.5], [0.0, 0.0, 0.0, 0.0]
SETTINGS = {"use": "score_pgd", "eps": 0.05}


def cell(values, examples, attack="", entry="cnn", seed=0, settings=SETTINGS, guarded=True, detector="msp"):
    net = f"{entry}.{seed}"
    noun = Scores(np.array(values), np.arange(len(values)), np.zeros(len(values), dtype=np.int64))
    victim = (f"{net}+{detector}@0.05" if guarded else net) if attack else ""
    file = f"scores/{net}/{detector}/{examples}/{attack}"
    return Cell(
        noun, file, entry, seed, examples, attack, victim, detector=detector, settings=settings if attack else {}
    )


def both_sides(attack="score", ids=ATTACKED_ID, oods=ATTACKED_OOD, **more):
    return [cell(ids, "digits", attack, **more), cell(oods, "noise", attack, **more)]


def clean(**more):
    return [cell(ID, "digits", **more), cell(OOD, "noise", **more)]


def images(count, share, examples, victim="cnn.0+msp@0.05"):
    notes = {"no_score_gradient": share, "no_score_gradient_clean": 1.0, "licence": "none"}
    noun = ExampleSet(
        np.zeros((count, 1, 1, 1), np.float32), np.zeros(count, np.int64), np.arange(count), "here", notes
    )
    return Cell(noun, f"attacked/{examples}", "cnn", 0, examples, "score", victim, settings=SETTINGS)


def measured(cells, examples=(), **settings):
    rows = attacked_detection(cells, list(examples), id_examples="digits", resamples=50, **settings)
    return {(row.entry, row.examples, row.metric): row for row in rows}


def value(rows, examples, metric, entry="cnn+msp"):
    return rows[entry, examples, metric].value


def test_each_side_alone_and_both_give_the_auroc_counted_by_hand():
    rows = measured([*clean(), *both_sides()])

    assert value(rows, "noise", "auroc_clean") == 15 / 16
    assert value(rows, "noise/score", "auroc_id") == 2 / 4
    assert value(rows, "noise/score", "auroc_ood") == 0
    assert value(rows, "noise/score", "auroc_both") == 0
    assert value(rows, "noise/score", "auroc_id_less_both") == 0.5


def test_the_papers_statistics_stand_beside_clean_and_attacked():
    rows = measured([*clean(), *both_sides()])

    for statistic in ("auroc", "aupr_id", "aupr_ood", "fpr95_id", "fpr95_ood", "detection_error"):
        assert ("cnn+msp", "noise", f"{statistic}_clean") in rows
        assert ("cnn+msp", "noise/score", f"{statistic}_both") in rows
    assert value(rows, "noise/score", "fpr95_id_both") == 1
    assert value(rows, "noise/score", "detection_error_both") == 0.5
    assert value(rows, "noise", "detection_error_clean") == pytest.approx(1 / 8)


def test_an_attack_that_moves_nothing_leaves_the_clean_numbers():
    """eps 0."""
    rows = measured([*clean(), *both_sides(ids=ID, oods=OOD)])

    for statistic in ("auroc", "fpr95_id", "detection_error"):
        assert value(rows, "noise/score", f"{statistic}_both") == value(rows, "noise", f"{statistic}_clean")
    assert value(rows, "noise/score", "auroc_ood_less_both") == 0


def test_neighbouring_eps_of_one_attack_are_compared_on_the_same_inputs():
    far = {"settings": {"use": "score_pgd", "eps": 0.1}}
    cells = [*clean(), *both_sides(ids=[2.0, 3.0, 4.0, 5.0], oods=OOD), *both_sides("farther", **far)]

    rows = measured(cells)

    found = rows["cnn+msp", "noise/score less farther", "auroc_both_difference"]
    assert found.value == value(rows, "noise/score", "auroc_both") - value(rows, "noise/farther", "auroc_both")
    assert "eps=0.05" in str(found.threat)
    assert ("cnn+msp", "noise/farther less score", "auroc_both_difference") not in rows


def test_an_adaptive_attack_is_compared_with_a_transferred_one_of_equal_eps():
    weak = {"settings": {"use": "softmax_transfer", "eps": 0.05}, "guarded": False}

    rows = measured([*clean(), *both_sides(), *both_sides("transfer", ids=ID, oods=OOD, **weak)])

    assert value(rows, "noise/score less transfer", "auroc_both_difference") == -15 / 16
    assert "oblivious" in str(rows["cnn+msp", "noise/transfer", "auroc_both"].threat)
    assert "adaptive" in str(rows["cnn+msp", "noise/score", "auroc_both"].threat)


def test_a_leader_is_compared_with_every_other_classifier_seed_by_seed():
    cells = [*clean(), *both_sides(), *clean(entry="aloe"), *both_sides(ids=ID, oods=OOD, entry="aloe")]

    rows = measured(cells, leaders=["aloe"])

    assert value(rows, "noise/score less cnn", "auroc_both_difference", "aloe+msp") == 15 / 16
    assert value(rows, "noise less cnn", "auroc_clean_difference", "aloe+msp") == 0
    assert ("cnn+msp", "noise/score less aloe", "auroc_both_difference") not in rows


def test_a_paired_difference_of_equal_scores_is_as_sure_as_so_few_images_allow():
    cells = [*clean(), *both_sides(), *clean(entry="aloe"), *both_sides(entry="aloe")]

    found = measured(cells, leaders=["aloe"])["aloe+msp", "noise less cnn", "auroc_clean_difference"]

    unseen = 1.96**2 / (4 + 1.96**2)  # of four images without a difference
    assert (found.value, found.low, found.high) == pytest.approx((0, -unseen, unseen), abs=1e-4)


def test_the_mean_over_sets_is_the_mean_of_their_aurocs():
    more = [cell([0.0, 0.5, 0.0, 0.5], "faces"), cell(ATTACKED_OOD, "faces", "score")]

    rows = measured([*clean(), *both_sides(), *more])

    assert value(rows, "mean_of_sets", "auroc_clean") == (15 / 16 + 0) / 2
    assert rows["cnn+msp", "mean_of_sets/score", "auroc_both"].n == 12


def test_the_mean_of_differences_over_sets_is_drawn_together_where_both_have_all_sets():
    faces = [cell([0.0, 0.5, 0.0, 0.5], "faces"), cell(ATTACKED_OOD, "faces", "score")]
    aloe = [cell([0.0, 0.5, 0.0, 0.5], "faces", entry="aloe"), cell(OOD, "faces", "score", entry="aloe")]
    cells = [*clean(), *both_sides(), *faces, *clean(entry="aloe"), *both_sides(ids=ID, oods=OOD, entry="aloe"), *aloe]

    rows = measured(cells, leaders=["aloe"])
    fewer = measured([each for each in cells if (each.entry, each.examples) != ("cnn", "faces")], leaders=["aloe"])

    of = [value(rows, f"{name}/score less cnn", "auroc_both_difference", "aloe+msp") for name in ("noise", "faces")]
    mean = rows["aloe+msp", "mean_of_sets/score less cnn", "auroc_both_difference"]
    assert mean.value == sum(of) / 2 and mean.low <= mean.value <= mean.high
    less = [value(rows, f"{name}/score", "auroc_id_less_both") for name in ("noise", "faces")]
    assert value(rows, "mean_of_sets/score", "auroc_id_less_both") == sum(less) / 2
    assert ("aloe+msp", "mean_of_sets/score less cnn", "auroc_both_difference") not in fewer


def test_the_share_of_images_left_without_a_gradient_is_given_per_set_and_as_the_mean_of_the_ood_sets():
    left = [images(8, 0.25, "digits"), images(4, 0.5, "noise"), images(8, 1.0, "faces")]
    clean_images = Cell(left[0].noun, "clean", "cnn", 0, "digits")

    rows = measured([*clean(), *both_sides()], [*left, clean_images])

    assert value(rows, "digits/score", "no_score_gradient") == 0.25
    assert value(rows, "noise/score", "no_score_gradient") == 0.5
    mean = rows["cnn+msp", "mean_of_sets/score", "no_score_gradient"]
    assert (mean.value, mean.n) == (0.75, 12)  # as a claim counts it; of all images together it would be 10 / 12
    assert ("cnn+msp", "noise/score", "no_score_gradient_clean") not in rows


def test_nothing_is_said_of_gradients_that_an_attack_on_the_network_alone_never_asked_for():
    unguarded = images(4, 0.5, "noise", victim="cnn.0")
    del unguarded.noun.notes["no_score_gradient"]

    rows = measured([*clean(), *both_sides()], [unguarded])

    assert not [metric for _, _, metric in rows if metric == "no_score_gradient"]


def test_a_side_without_attacked_scores_is_refused_by_name():
    with pytest.raises(ValueError, match=r"scores of cnn.0 and msp on noise under score"):
        measured([*clean(), *both_sides()[:1]])


def test_a_leader_without_scores_is_refused():
    with pytest.raises(ValueError, match="aloe"):
        measured([*clean(), *both_sides()], leaders=["aloe"])


def test_without_every_statistic_only_aurocs_are_measured():
    rows = attacked_detection([*clean(), *both_sides()], [], id_examples="digits", every_statistic=False, resamples=20)

    assert {row.metric for row in rows} == {"auroc_clean", "auroc_both", "auroc_id", "auroc_ood"}


def test_attacks_are_compared_within_one_norm_and_one_without_an_eps_with_none():
    euclidean = {"settings": {"use": "pgd", "eps": 1.0, "norm": "l2"}, "guarded": False}
    near = {"settings": {"use": "pgd", "eps": 0.1}, "guarded": False}
    endless = {"settings": {"use": "colour_inversion"}, "guarded": False}
    cells = [
        *clean(),
        *both_sides("near", **near),
        *both_sides("ball", **euclidean),
        *both_sides("inverted", **endless),
    ]

    rows = measured(cells)

    assert value(rows, "noise/inverted", "auroc_both") == 0
    assert not [metric for _, _, metric in rows if metric.endswith("_difference")]

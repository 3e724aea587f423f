"""AUROC clean and with both sides attacked, on scores made by hand."""

import numpy as np
import pytest

from touchstone.evaluations.attacked_detection import attacked_detection
from touchstone.records.nouns import Cell, ExampleSet, Scores

ID, OOD = [1.0, 2.0, 3.0, 4.0], [3.5, 5.0, 6.0, 7.0]
ATTACKED_ID, ATTACKED_OOD = [5.5, 5.5, 5.5, 5.5], [0.0, 0.0, 0.0, 0.0]
SETTINGS = {"use": "score_pgd", "eps": 0.05}


def cell(values, examples, attack="", settings=SETTINGS, guarded=True):
    net, detector = "cnn.0", "msp"
    noun = Scores(np.array(values), np.arange(len(values)), np.zeros(len(values), dtype=np.int64))
    victim = (f"{net}+{detector}@0.05" if guarded else net) if attack else ""
    file = f"scores/{net}/{detector}/{examples}/{attack}"
    return Cell(noun, file, "cnn", 0, examples, attack, victim, detector=detector, settings=settings if attack else {})


def both_sides(attack="score", ids=ATTACKED_ID, oods=ATTACKED_OOD, **more):
    return [cell(ids, "digits", attack, **more), cell(oods, "noise", attack, **more)]


def clean():
    return [cell(ID, "digits"), cell(OOD, "noise")]


def images(count, share, examples, victim="cnn.0+msp@0.05"):
    notes = {"no_score_gradient": share, "no_score_gradient_clean": 1.0, "licence": "none"}
    noun = ExampleSet(
        np.zeros((count, 1, 1, 1), np.float32), np.zeros(count, np.int64), np.arange(count), "here", notes
    )
    return Cell(noun, f"attacked/{examples}", "cnn", 0, examples, "score", victim, settings=SETTINGS)


def measured(cells, examples=()):
    rows = attacked_detection(cells, list(examples), id_examples="digits", resamples=50)
    return {(row.entry, row.examples, row.metric): row for row in rows}


def value(rows, examples, metric):
    return rows["cnn+msp", examples, metric].value


def test_clean_and_attacked_give_the_auroc_counted_by_hand():
    rows = measured([*clean(), *both_sides()])

    assert value(rows, "noise", "auroc_clean") == 15 / 16
    assert value(rows, "noise/score", "auroc_both") == 0


def test_an_attack_that_moves_nothing_leaves_the_clean_numbers():
    """eps 0."""
    rows = measured([*clean(), *both_sides(ids=ID, oods=OOD)])

    assert value(rows, "noise/score", "auroc_both") == value(rows, "noise", "auroc_clean")


def test_an_attack_on_the_bare_network_knows_nothing_of_the_score():
    weak = {"settings": {"use": "softmax_transfer", "eps": 0.05}, "guarded": False}

    rows = measured([*clean(), *both_sides(), *both_sides("transfer", ids=ID, oods=OOD, **weak)])

    assert "oblivious" in str(rows["cnn+msp", "noise/transfer", "auroc_both"].threat)
    assert "adaptive" in str(rows["cnn+msp", "noise/score", "auroc_both"].threat)


def test_the_mean_over_sets_is_the_mean_of_their_aurocs():
    more = [cell([0.0, 0.5, 0.0, 0.5], "faces"), cell(ATTACKED_OOD, "faces", "score")]

    rows = measured([*clean(), *both_sides(), *more])

    assert value(rows, "mean_of_sets", "auroc_clean") == (15 / 16 + 0) / 2
    assert rows["cnn+msp", "mean_of_sets/score", "auroc_both"].n == 12


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

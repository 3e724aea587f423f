from dataclasses import replace

import numpy as np
import pytest

from touchstone.evaluations.cross_attack import cross_attack
from touchstone.records.nouns import Cell, Detector, Outputs, Scores

ROWS = 20
SETTINGS = {"id_examples": "digits", "resamples": 50}


def place(attack):
    return {"entry": "cnn", "seed": 0, "examples": "digits", "attack": attack, "victim": "cnn.0" if attack else "",
            "settings": {"use": "pgd", "eps": 0.1} if attack else {}}  # fmt: skip


def scores(attack, shift, detector="network"):
    values = np.arange(ROWS, dtype=float) + shift
    noun = Scores(values, np.arange(ROWS), np.zeros(ROWS, dtype=np.int64))
    return Cell(noun, f"scores/{detector}/{attack}", detector=detector, **place(attack))


def outputs(attack, wrong=0):
    predictions = np.arange(ROWS) < wrong
    noun = Outputs(
        np.eye(2, dtype=np.float32)[predictions.astype(int)], np.zeros(ROWS, dtype=np.int64), np.arange(ROWS)
    )
    return Cell(noun, f"outputs/{attack}", **place(attack))


def detector(anomalous, name="network", supervised=True):
    noun = Detector({}, {}, {"0.05": 1.0}, 1.0, supervised)
    return Cell(noun, f"detectors/{name}", "cnn", 0, detector=name, settings={"anomalous": anomalous})


SCORES = [scores("", 0), scores("fgsm", 100), scores("pgd", 0)]
OUTPUTS = [outputs(""), outputs("fgsm", 15), outputs("pgd", ROWS)]


def values(rows):
    return {(row.metric, row.examples): row.value for row in rows}


def test_a_detector_that_sees_only_its_own_attack_drops_by_one_half():
    found = values(cross_attack(SCORES, OUTPUTS, [detector(["fgsm"])], **SETTINGS))

    assert found["auroc", "digits/fgsm"] == 1
    assert found["auroc", "digits/pgd"] == 0.5
    assert found["auroc_drop_from_fgsm", "digits/pgd"] == 0.5
    assert ("auroc_drop_from_fgsm", "digits/fgsm") not in found


def test_the_drop_on_successes_is_taken_on_images_where_both_attacks_succeeded():
    rows = cross_attack(SCORES, OUTPUTS, [detector(["fgsm"])], **SETTINGS)

    (drop,) = [row for row in rows if row.metric == "auroc_successes_drop_from_fgsm"]
    # pgd beats all 20 images, fgsm the 15 with the lowest scores.
    assert drop.n == ROWS + 15
    assert drop.value == pytest.approx(1 - (np.arange(15) + 0.5).sum() / (15 * ROWS))


def test_a_success_rate_is_that_of_the_attack_and_stands_once():
    both = [detector(["fgsm"]), detector(["pgd"], "other")]
    more = [scores(attack, 0, "other") for attack in ("", "fgsm", "pgd")]

    rows = cross_attack([*SCORES, *more], OUTPUTS, both, **SETTINGS)

    rates = [(row.entry, row.examples, row.value) for row in rows if row.metric == "success_rate"]
    assert rates == [("cnn", "digits/fgsm", 0.75), ("cnn", "digits/pgd", 1.0)]


def test_an_unsupervised_detector_is_left_out():
    more = [scores(attack, 0, "msp") for attack in ("", "fgsm", "pgd")]

    rows = cross_attack(
        [*SCORES, *more], OUTPUTS, [detector(["fgsm"]), detector([], "msp", supervised=False)], **SETTINGS
    )

    assert not [row for row in rows if "msp" in row.entry]
    with pytest.raises(ValueError, match="no detector here is supervised"):
        cross_attack(more, OUTPUTS, [detector([], "msp", supervised=False)], **SETTINGS)


def test_a_detector_trained_on_several_anomalies_has_no_drop():
    found = values(cross_attack(SCORES, OUTPUTS, [detector(["fgsm", "pgd"])], **SETTINGS))

    assert not [metric for metric, _ in found if "drop" in metric]


def test_the_drop_is_from_the_attack_on_the_detectors_network_not_from_the_same_attack_on_another():
    def transferred(cell):
        return replace(cell, victim="mlp.0", file=f"{cell.file}/mlp")

    given = [scores("", 0), transferred(scores("fgsm", 0)), *SCORES[1:]]

    found = values(cross_attack(given, [*OUTPUTS, transferred(OUTPUTS[1])], [detector(["fgsm"])], **SETTINGS))

    assert found["auroc", "digits/mlp/fgsm"] == 0.5
    assert found["auroc_drop_from_fgsm", "digits/pgd"] == 0.5


def test_an_attacked_set_of_unknown_images_has_an_auroc_and_no_success_rate():
    noise = [replace(cell, examples="noise", file=f"noise/{cell.file}") for cell in (scores("pgd", 9), outputs("pgd"))]

    found = values(cross_attack([*SCORES, noise[0]], [*OUTPUTS, noise[1]], [detector(["fgsm"])], **SETTINGS))

    assert ("auroc", "noise/pgd") in found and ("success_rate", "noise/pgd") not in found
    assert ("success_rate", "digits/pgd") in found

"""What the union of attacks on scores refuses, and how its means treat networks that know other images."""

import numpy as np
import pytest

from touchstone.evaluations.statistics.intervals import times_drawn
from touchstone.evaluations.union_detection import union_detection
from touchstone.records.nouns import Cell, Outputs, Scores

ROWS = 12
SETS = ("known", "far", "choice_known", "choice_far")
GIVEN = {"id_examples": ["known"], "choice_id": ["choice_known"], "choice_sets": ["choice_far"], "resamples": 20}


def crossed(entry="cnn_0", seed=0, attacks=("", "steps")):
    """Return the scores of two detectors, clean and at the points of an attack on each of them."""
    net, cells = f"{entry}.{seed}", []
    for detector in ("msp", "odin"):
        for name in SETS:
            for attack in attacks:
                for aim in [f"{net}+{each}@0.05" for each in ("msp", "odin")] if attack else [""]:
                    words = f"{net} {detector} {name} {attack} {aim}"
                    values = np.random.default_rng(list(words.encode())).normal(2.0 * ("far" in name), 1, ROWS)
                    noun = Scores(values, np.arange(ROWS), np.zeros(ROWS, dtype=np.int64))
                    used = {"use": "adaptive/score_pgd", "eps": 0.05} if attack else {}
                    cells.append(Cell(noun, words, entry, seed, name, attack, aim, detector=detector, settings=used))
    return cells


def outputs(entry, seed, right, ids):
    """Return outputs on the known images, right where `right` says so; all true classes are 0."""
    noun = Outputs(
        np.eye(2, dtype=np.float32)[1 - np.array(right, dtype=int)], np.zeros(len(ids), np.int64), np.array(ids)
    )
    return Cell(noun, f"outputs/{entry}.{seed}", entry, seed, "known")


def test_every_network_of_a_kind_needs_the_same_detectors():
    cells = [*crossed(), *(cell for cell in crossed("cnn_1", 1) if cell.detector != "odin")]

    with pytest.raises(
        ValueError, match=r"no scores of cnn_0 \(seed 1\) and odin, which other networks of its kind have"
    ):
        union_detection(cells, [], **GIVEN)


def test_a_network_without_attacks_is_refused():
    with pytest.raises(ValueError, match=r"no attacked scores of cnn_1\.1"):
        union_detection([*crossed(), *crossed("cnn_1", 1, attacks=("",))], [], **GIVEN)


def test_outputs_of_a_network_without_scores_are_refused():
    with pytest.raises(ValueError, match="no scores of cnn_1"):
        union_detection(crossed(), [outputs("cnn_1", 1, [1], [0])], **GIVEN)


@pytest.mark.parametrize("setting", ["alone", "checked"])
def test_an_attack_that_was_not_made_is_refused_with_the_nearest_that_was(setting):
    with pytest.raises(ValueError, match=rf"{setting} names setps, .*name one of steps\. Did you mean steps\?"):
        union_detection(crossed(), [], **GIVEN | {setting: ["setps"]})


def test_the_mean_clean_accuracy_is_resampled_by_image_if_networks_know_other_images():
    """Two networks share half of their images: row i of one and row i of the other are other images."""
    right = np.arange(60) % 3 == 0
    own = (slice(0, 40), slice(20, 60))
    cells = [*crossed(), *crossed("cnn_1", 1)]
    outs = [outputs(f"cnn_{seed}", seed, right[part], np.arange(60)[part]) for seed, part in enumerate(own)]

    rows = union_detection(cells, outs, **GIVEN)

    (mean,) = [row for row in rows if row.metric == "clean_accuracy_mean"]
    times = times_drawn(60, 1000, 0).astype(float)
    drawn = [(times[:, part] @ right[part]) / times[:, part].sum(1) for part in own]
    per_network = np.mean([np.var(samples, ddof=1) for samples in drawn])
    assert (mean.value, mean.n, mean.images) == (np.mean([right[part].mean() for part in own]), 40, 60)
    assert mean.image_variance + mean.residual_variance / 2 == pytest.approx(np.var(np.mean(drawn, axis=0), ddof=1))
    assert mean.image_variance + mean.residual_variance == pytest.approx(per_network)

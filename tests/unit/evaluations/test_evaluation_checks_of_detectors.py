"""Checks of attacks on a classifier and its detector together."""

from dataclasses import replace

import numpy as np
import pytest

from touchstone.evaluations.checks import checks
from touchstone.evaluations.statistics.sanity_checks import Doubts
from touchstone.records.nouns import Cell, Detector, Outputs, Scores

ROWS = 200
DETECTOR = Cell(
    Detector({}, {"use": "energy"}, {"0.05": 2.0}, spread=1.0, supervised=False),
    "detector",
    "cnn",
    0,
    detector="energy",
)
CHECKED = ["small", "suite", "large"]


def pair(kept, attack, use, *, flagged=0.0, knows=True, **settings):
    """Outputs and scores of a set: a share `kept` is right, and of the wrong ones, a share `flagged` of all is flagged."""
    rows = np.arange(ROWS)
    right = rows < round((kept - flagged) * ROWS)
    caught = ~right & (rows < round(kept * ROWS))
    ids, labels = rows, np.zeros(ROWS, np.int64)
    logits = np.stack([right, ~right], axis=1).astype(np.float32)
    place = {"entry": "cnn", "seed": 0, "examples": "digits", "attack": attack}
    place |= {"victim": "cnn.0+energy@0.05" if knows else "cnn.0", "settings": {"use": use, "eps": 0.1} | settings}
    outputs = Cell(Outputs(logits, labels, ids), f"outputs/{attack}", **place)
    scores = Scores(np.where(caught, 3.0, 1.0)[::-1].copy(), ids[::-1].copy(), labels)
    return outputs, Cell(scores, f"scores/{attack}", detector="energy", **place)


SUITE = "adaptive/evasion_suite"
SOUND = {
    "small": pair(0.8, "small", SUITE, eps=0.05),
    "suite": pair(0.4, "suite", SUITE, flagged=0.1),
    "large": pair(0.0, "large", SUITE, eps=0.3),
    "pgd": pair(0.6, "pgd", "attacks/pgd", flagged=0.5, knows=False),
    "queries": pair(0.7, "queries", "adaptive/joint_spsa"),
    "joint": pair(0.45, "joint", "adaptive/joint_pgd"),
}


def rows_of(pairs, **settings):
    outputs, scores = (list(side) for side in zip(*pairs.values(), strict=True))
    return checks(outputs, scores, [DETECTOR], large_eps=0.3, **({"checked": CHECKED} | settings))


def verdicts(pairs):
    return {
        (row.examples.rpartition("/")[2], row.metric.removesuffix("_passed")): row.value
        for row in rows_of(pairs)
        if row.metric.endswith("_passed")
    }


def test_a_sound_attack_passes_every_check():
    assert verdicts(SOUND) == {
        ("small", "rise_with_eps"): 1,
        ("large", "left_at_large_eps"): 1,
        ("suite", "worse_than_oblivious"): 1,
        ("suite", "worse_than_black_box"): 1,
        ("suite", "worse_than_another_attack"): 1,
    }


@pytest.mark.parametrize(
    ("attack", "check", "broken"),
    [
        ("small", "rise_with_eps", pair(0.3, "small", SUITE, eps=0.05)),
        ("large", "left_at_large_eps", pair(0.1, "large", SUITE, flagged=0.1, eps=0.3)),
        ("suite", "worse_than_oblivious", pair(0.3, "pgd", "attacks/pgd", knows=False)),
        ("suite", "worse_than_black_box", pair(0.3, "queries", "adaptive/joint_spsa")),
        ("suite", "worse_than_another_attack", pair(0.3, "joint", "adaptive/joint_pgd")),
    ],
)
def test_each_check_fails_where_it_should(attack, check, broken):
    """Also where a weak attack only looks weak because flagged images count: that of the large eps."""
    found = verdicts(SOUND | {broken[0].attack: broken})

    assert found.pop((attack, check)) == 0
    assert set(found.values()) == {1}


def test_right_or_flagged_images_are_left():
    (difference,) = [row for row in rows_of(SOUND) if row.metric == "worse_than_oblivious"]

    assert difference.value == pytest.approx(0.4 - 0.6)
    assert (difference.entry, difference.examples) == ("cnn+energy", "digits/cnn+energy@0.05/suite")
    assert set(difference.files) >= {"scores/suite", "outputs/suite", "scores/pgd", "outputs/pgd"}


def test_a_failed_check_marks_the_evasion_rate_of_the_attack():
    rows = rows_of(SOUND | {"queries": pair(0.3, "queries", "adaptive/joint_spsa")})
    (one,) = [row for row in rows if row.metric == "worse_than_black_box"]

    marked = Doubts(rows).about(replace(one, metric="evasion_rate_at_0.05"))

    assert marked.startswith("leaves more than a black-box attack does, by +10.0")


def test_what_is_missing_is_named():
    with pytest.raises(ValueError, match="no set was attacked by fog with knowledge of a detector"):
        rows_of(SOUND, checked=["fog"])
    with pytest.raises(ValueError, match=r"energy of cnn\.0 has no threshold for the false-positive rate 0\.2"):
        rows_of(SOUND, false_positive_rate=0.2)

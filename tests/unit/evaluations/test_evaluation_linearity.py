import numpy as np
import pytest

from touchstone.evaluations.linearity import linearity, r_squared
from touchstone.records.nouns import Cell, Outputs


def cells(function, places=(0.0, 0.02, 0.05, 0.1, 0.3), clip=False, count=6):
    """Outputs whose two logits are `function` and minus `function` of t, in another order of rows at each t."""
    found = []
    for place, t in enumerate(places):
        order = np.roll(np.arange(count), place)
        values = function(t) * (1 + order)
        logits = np.stack([values, -values], axis=1).astype(np.float64)
        exact = None if t == 0 else logits
        noun = Outputs(logits if t == 0 else 0 * logits, np.zeros(count, np.int64), order, unquantised_logits=exact)
        more = {} if t == 0 else {"attack": f"fgsm_{place}", "victim": "mlp.0",
                                  "settings": {"use": "attacks/fgsm", "eps": t, "clip": clip, "target": "none"}}  # fmt: skip
        found.append(Cell(noun, f"file{place}", "mlp", 0, "digits", **more))
    return found


def test_logits_that_are_linear_in_t_have_r_squared_1():
    (row,) = linearity(cells(lambda t: 3 - 2 * t))

    assert row.value == pytest.approx(1)
    assert (row.metric, row.examples, row.n) == ("median_r2", "digits", 6)
    assert " ".join(row.files) == "file0 file1 file2 file3"  # not the one at t = .3


def test_a_parabola_through_three_points_worked_by_hand():
    # t = 0, 1, 2 and t^2 = 0, 1, 4: the line -1/3 + 2t leaves 1/9 + 4/9 + 1/9 = 2/3 of 26/3.
    fits = r_squared(np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.0, 4.0]).reshape(3, 1, 1))

    assert fits[0, 0] == pytest.approx(1 - (2 / 3) / (26 / 3))


def test_a_logit_that_does_not_move_is_straight():
    assert r_squared(np.array([0.0, 1.0, 2.0]), np.ones((3, 1, 1)))[0, 0] == 1


def test_bent_logits_have_less():
    (row,) = linearity(cells(lambda t: np.cos(60 * t)))

    assert row.value < 0.5


def test_clipped_attacks_are_no_points_of_the_line():
    assert linearity(cells(lambda t: t, clip=True)) == []


def test_two_points_besides_the_image_are_too_few():
    with pytest.raises(ValueError, match=r"2 unclipped FGSM sets up to eps 0\.1, 3 are needed"):
        linearity(cells(lambda t: t, places=(0.0, 0.05, 0.1, 0.2)))

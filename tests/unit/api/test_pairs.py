"""Two models under the same attacks: the difference is paired, and neither looks better by a weaker attack."""

import json

import numpy as np
import pytest
import torch

from touchstone.api.evaluation_result import EvaluationResult
from touchstone.api.pairs import PairResult, evaluate_pair, paired_difference
from touchstone.evaluations.statistics.intervals import binomial

IMAGES = torch.linspace(0.005, 0.995, 100).view(100, 1, 1, 1)
LABELS = torch.arange(100) // 50
FEW = {"eps": 0.1, "steps": 5, "restarts": 1, "queries": 20}


def at(boundary, hide=lambda images: images):
    """A model that decides at a brightness."""
    return lambda images: torch.stack([boundary - (x := hide(images).flatten(1)[:, 0]), x - boundary], 1)


def test_the_difference_is_that_of_the_shares_and_its_interval_is_around_it():
    found = evaluate_pair(at(0.5), at(0.3), IMAGES, LABELS, **FEW)

    assert [rate.value for rate in found.robust] == pytest.approx([0.8, 0.7], abs=0.011)
    assert found.difference.value == pytest.approx(found.robust[0].value - found.robust[1].value)
    assert found.difference.low < found.difference.value < found.difference.high
    assert found.clean_difference.value == pytest.approx(0.2, abs=0.011)


def test_a_model_that_hides_its_gradient_falls_to_the_images_made_on_the_other():
    hidden = at(0.5, lambda images: (images * 200).round() / 200 + 0 * images)
    alone, found = (evaluate_pair(hidden, other, IMAGES, LABELS, **FEW | {"queries": 0}) for other in (hidden, at(0.5)))

    assert found.robust[0].value == pytest.approx(0.8, abs=0.02) and found.transferred[0].value <= 0.82
    assert found.robust[0].value <= alone.robust[0].value
    assert (
        json.loads(json.dumps(found.as_dict()))["first"]["on_images_of_the_other"]["value"]
        == found.transferred[0].value
    )


def test_a_difference_that_failed_checks_do_not_support_is_printed_with_them():
    hidden = at(0.5, lambda images: (images * 50).round() / 50 + 0 * images)

    found = evaluate_pair(hidden, at(0.5), IMAGES, LABELS, **FEW | {"queries": 0})

    assert found.first.failed_checks and not found.second.failed_checks and found.robust[0].value > 0
    assert repr(found).endswith(f", 100 images, do not trust the first: {'; '.join(found.first.failed_checks)})")


@pytest.mark.parametrize("hits", [0, 5])
def test_a_model_that_nothing_is_left_of_needs_no_checks(hits):
    first, second = (
        EvaluationResult(binomial(9, 10), binomial(6, 10), IMAGES[:10], checks, 0.1)
        for checks in ((), ("Square finds 3 % more",))
    )
    rates = (binomial(6, 10), binomial(hits, 10))

    text = repr(PairResult(first, second, rates, rates, binomial(1, 10), binomial(1, 10)))

    assert ("do not trust the second: Square finds 3 % more" in text) == ("trust" in text) == (hits > 0)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"evidence": "both.npz"}, "evidence: .* the same file: call evaluate with it for each model"),
        ({"backward": at(0.5)}, "backward: .* stand-in of its own: call evaluate"),
        ({"draws": 20}, "draws: fresh draws .*: call evaluate"),
    ],
)
def test_settings_that_two_models_cannot_share_are_refused_before_anything_runs(settings, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def never(images):
        pytest.fail("the model was called")

    with pytest.raises(ValueError, match=words):
        evaluate_pair(never, never, IMAGES, LABELS, **FEW, **settings)
    assert not list(tmp_path.iterdir())


def test_settings_at_their_defaults_are_those_of_evaluate():
    found = evaluate_pair(at(0.5), at(0.3), IMAGES, LABELS, **FEW, evidence=None, backward=None, draws=1)

    assert found.robust[0].value > found.robust[1].value


def test_equal_models_differ_by_nothing():
    found = evaluate_pair(at(0.5), at(0.5), IMAGES, LABELS, **FEW)

    assert found.difference.value == 0 and found.difference.low <= 0 <= found.difference.high


@pytest.mark.parametrize("shares", [(0.7, 0.1, 0.05, 0.15), (0.45, 0.02, 0.02, 0.51), (0.9, 0.08, 0.0, 0.02)])
def test_the_interval_covers_the_true_difference_in_95_of_100_samples(shares):
    draws = np.random.default_rng(0).choice(4, p=shares, size=(1000, 80))
    covered = 0
    for sample in draws:
        cells = torch.from_numpy(sample)
        found = paired_difference(cells <= 1, (cells == 0) | (cells == 2))
        covered += found.low <= shares[1] - shares[2] <= found.high

    assert covered >= 930

"""Numbers that jump with the last bit of a processor: verify accepts what nudged weights give, and nothing else."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from touchstone.audit import artefact_comparison, closeness, recomputation
from touchstone.records.nouns import Outputs

LEVEL = np.float32(1 / 255)


class AtTheKink:
    """A reader whose gradient of the first row is 1 on one side of a kink, and 4 on the other."""

    trials = 0

    def compute(self, task, rows, *, nudged=False):
        self.trials += nudged
        return outputs(4.0 if self.trials % 3 == 2 else 1.0)


def outputs(first):
    norms = np.float32([[first, 9.0], [2.0, 5.0]])
    return Outputs(np.eye(2, dtype=np.float32), np.arange(2), np.arange(2), gradient_norms={"all_ones": norms})


def compared(stated, trials=16):
    task = SimpleNamespace(step="infer")
    return artefact_comparison.compare_with_recomputation(AtTheKink(), stated, task, None, trials)


@pytest.mark.parametrize("first", [1.0, 4.0])
def test_either_side_of_a_kink_is_accepted(first):
    assert compared(outputs(first)).exact


@pytest.mark.parametrize(("first", "trials"), [(2.5, 16), (4.0, 0)])
def test_a_number_that_no_trial_gives_is_named(first, trials):
    with pytest.raises(ValueError, match=r"1 of 2 rows differ, row 0"):
        compared(outputs(first), trials)


def test_of_two_recomputations_each_number_is_the_nearer_one():
    stated = {"pixels": np.float32([0, 1, 2, 3]) * LEVEL, "labels": np.arange(4)}
    first = {"pixels": np.float32([0, 2, 2, 9]) * LEVEL, "labels": np.arange(4) + 1}
    second = {"pixels": np.float32([1, 1, 2, 8]) * LEVEL, "labels": np.arange(4)}
    nearest = closeness.nearer(stated, first, second)
    assert nearest["pixels"].tolist() == (np.float32([0, 1, 2, 8]) * LEVEL).tolist()
    assert nearest["pixels"].dtype == np.float32
    assert nearest["labels"].tolist() == first["labels"].tolist()


def test_nudged_weights_put_a_pixel_at_a_tie_on_either_side():
    """The layer returns 100.5 levels, so the last bit decides between level 100 and level 101."""
    layer = nn.Linear(64, 1)
    layer.bias.data.zero_()
    ties = layer.weight.data.fill_(100.5 / 255 / 64).clone()
    reader, levels = SimpleNamespace(random=np.random.default_rng(0)), []
    for _ in range(artefact_comparison.TRIALS):
        layer.weight.data.copy_(ties)
        nudged = recomputation.Recomputation.nudge(reader, layer)
        moved = (nudged.weight / ties - 1).abs().max()
        assert 0.5 * recomputation.NUDGE < moved <= 1.01 * recomputation.NUDGE
        levels.append(round(nudged(torch.ones(64)).item() * 255))
    assert set(levels) == {100, 101}

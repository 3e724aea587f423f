"""The order of points for an attacker who has to be wrong and unflagged."""

from dataclasses import replace

import torch
from torch import nn

from touchstone.attacks.adaptive.high_confidence import high_confidence
from touchstone.attacks.adversary.defences import Guarded
from touchstone.attacks.adversary.evasion import best_of, rank
from touchstone.numerics.tensors import RandomStreams

IMAGES, LABELS = torch.full((2, 1, 2, 2), 0.5), torch.zeros(2, dtype=torch.int64)


def guarded(steepness):
    """Class 1 from a mean of .52 on, with a lead of twice `steepness` times the distance; nothing is flagged."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    with torch.no_grad():
        model[1].weight.copy_(steepness * torch.stack([-torch.ones(4), torch.ones(4)]) / 4)
        model[1].bias.copy_(steepness * torch.tensor([0.52, -0.52]))
    return Guarded(model, lambda images: images.mean((1, 2, 3)), ("images",), {}, 1.0, 1.0, {})


def test_evading_points_come_first_then_caught_ones_then_right_ones_and_none_tie():
    margins = torch.tensor([90.0, 20.0, 19.0, 1e-3, 1.0, 1.0, 1.0, -1e-3, -15.0, -16.0])
    excesses = torch.tensor([-1.0, 0.0, -9.0, -1.0, 1e-9, 5.0, torch.inf, -9.0, -1.0, -1.0])

    ranks = rank(margins, excesses)

    assert ranks.tolist() == sorted(ranks.tolist(), reverse=True)
    assert len(set(ranks.tolist())) == 10
    assert (ranks >= 1).tolist() == [True] * 4 + [False] * 6


def test_the_surest_point_is_kept_however_sure_the_network_is():
    streams = RandomStreams(0, "attack", torch.arange(2))

    found = high_confidence(guarded(1000), IMAGES, LABELS, streams, eps=0.1, steps=20)

    assert torch.allclose(found, IMAGES + 0.1)


def test_a_score_that_is_not_a_number_on_the_way_does_not_end_the_search():
    defence = guarded(-1)  # class 1 below .52
    broken = replace(defence, model=nn.Sequential(*defence.model, Broken()))
    candidates = [torch.full_like(IMAGES, value) for value in (0.3, 0.1)]

    assert torch.equal(best_of(broken, IMAGES, LABELS, candidates), candidates[1])


class Broken(nn.Module):
    def forward(self, logits):
        return logits.where((logits[:, :1] + 0.22).abs() > 0.02, torch.nan)  # at .3

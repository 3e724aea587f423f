"""Attacks on a guarded classifier keep the points that still evade when a study rounds them to 8 bits."""

import torch
from torch import nn

from touchstone.attacks.adaptive.high_confidence import high_confidence
from touchstone.attacks.adversary.defences import Guarded
from touchstone.numerics.tensors import RandomStreams, to_grid_towards

IMAGES, LABELS = torch.full((2, 1, 2, 2), 100 / 255), torch.zeros(2, dtype=torch.int64)


class Hill(nn.Module):
    """Class 1 leads for means above 105/255, by most at 110.7/255."""

    def forward(self, images):
        level = 255 * images.mean((1, 2, 3))
        lead = torch.minimum(level - 105, 116.4 - level)
        return torch.stack([-lead, lead], 1)


def darkness(images):
    return -255 * images.mean((1, 2, 3))


def test_the_point_that_evades_when_it_is_rounded_is_kept_not_the_one_with_the_widest_margin():
    """Images darker than 110.4/255 are flagged, so of the points 110.5 and 111.2 only the second evades when rounded."""
    defence = Guarded(Hill(), darkness, ("images",), {}, -110.4, 1.0, {})
    streams = RandomStreams(0, "attack", torch.arange(2))

    kept = high_confidence(defence, IMAGES, LABELS, streams, eps=0.1, steps=40, step_size=0.7 / 255)

    stored = to_grid_towards(kept, IMAGES)
    logits, scores = defence.read(stored)
    assert torch.allclose(kept, stored)
    assert (logits.argmax(1) == 1).all() and (scores <= defence.threshold).all()

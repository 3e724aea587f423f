import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from touchstone.numerics.tensors import RandomStreams
from touchstone.training.contrastive import contrastive, nt_xent

torch.set_num_threads(1)


def images(count=5):
    return torch.rand(count, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def loss(model, count=5, **settings):
    return contrastive(
        model, images(count), torch.zeros(count), RandomStreams(0, "attack", torch.arange(count)), **settings
    )


def test_rows_that_are_all_alike_cost_the_logarithm_of_the_others():
    assert nt_xent(torch.ones(8, 3), 0.5).item() == pytest.approx(math.log(7))


def test_the_loss_is_that_of_the_paper_written_out():
    rows = torch.randn(6, 4, generator=torch.Generator().manual_seed(1))
    alike = functional.cosine_similarity(rows[:, None], rows[None], dim=2) / 0.3
    expected = [
        -math.log(alike[i, (i + 3) % 6].exp() / sum(alike[i, k].exp() for k in range(6) if k != i)) for i in range(6)
    ]

    assert nt_xent(rows, 0.3).item() == pytest.approx(sum(expected) / 6, rel=1e-5)


def test_pairs_that_agree_and_differ_from_all_others_cost_almost_nothing():
    rows = torch.eye(3).repeat(2, 1)

    assert nt_xent(rows, 0.01).item() < 1e-6


def test_views_are_the_images_themselves_where_nothing_is_changed():
    seen = []

    def remember(view):
        seen.append(view)
        return view.flatten(1)

    loss(remember, turn=0.0, move=0.0, resize=0.0, dim=0.0, noise=0.0)

    for view in seen:
        torch.testing.assert_close(view, images(), atol=1e-6, rtol=0)


def test_views_are_turned_moved_and_dimmed_but_never_mirrored_or_out_of_range():
    seen = []
    wedge = torch.zeros(200, 1, 16, 16)
    wedge[:, :, 4:12, 4:7] = 1.0  # left of the middle

    def remember(view):
        seen.append(view)
        return view.flatten(1)

    contrastive(remember, wedge, torch.zeros(200), RandomStreams(0, "", torch.arange(200)), noise=0.0)

    views = torch.cat(seen)
    assert views.min() >= 0 and views.max() <= 1
    assert not torch.equal(seen[0], seen[1])
    left, right = views[..., :8].sum((1, 2, 3)), views[..., 8:].sum((1, 2, 3))
    assert (left > right).float().mean() > 0.95


def test_training_on_it_brings_views_of_one_image_together():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 8))
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    first = loss(model).item()
    for _ in range(40):
        optimiser.zero_grad()
        loss(model).backward()
        optimiser.step()

    assert loss(model).item() < first - 0.2

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from touchstone.numerics.tensors import RandomStreams
from touchstone.training.contrastive import _view, companions, contrastive, nt_xent

torch.set_num_threads(1)


def images(count=5):
    return torch.rand(count, 1, 8, 8, generator=torch.Generator().manual_seed(0))


class Watched(nn.Module):
    """An encoder whose features are the pixels; it remembers what it saw. Its last layer may stay untrained."""

    def __init__(self, side=8):
        super().__init__()
        self.last, self.seen = nn.Linear(side * side, 3), []

    def forward(self, view):
        self.seen.append(view)
        return self.last(view.flatten(1))


def loss(model, count=5, head=None, **settings):
    streams = RandomStreams(0, "attack", torch.arange(count))
    return contrastive(
        model, images(count), torch.zeros(count), streams, head or companions((1, 8, 8), features=64), **settings
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
    model = Watched()

    loss(model, turn=0.0, move=0.0, resize=0.0, dim=0.0)

    for view in model.seen:
        torch.testing.assert_close(view, images(), atol=1e-6, rtol=0)


def test_views_are_turned_moved_and_dimmed_but_never_mirrored_or_out_of_range():
    model = Watched(16)
    wedge = torch.zeros(200, 1, 16, 16)
    wedge[:, :, 4:12, 4:7] = 1.0  # left of the middle

    contrastive(
        model, wedge, torch.zeros(200), RandomStreams(0, "", torch.arange(200)), companions((1, 16, 16), features=256)
    )

    views = torch.cat(model.seen)
    assert views.min() >= 0 and views.max() <= 1
    assert not torch.equal(*model.seen)
    left, right = views[..., :8].sum((1, 2, 3)), views[..., 8:].sum((1, 2, 3))
    assert (left > right).float().mean() > 0.95


def test_views_have_no_noise():
    """A flat image that fills the frame stays flat: only its brightness changes."""
    model = Watched()

    contrastive(
        model, torch.ones(5, 1, 8, 8), torch.zeros(5), RandomStreams(0, "", torch.arange(5)),
        companions((1, 8, 8), features=64), turn=0.0, move=0.0, resize=0.0,
    )  # fmt: skip

    spreads = torch.cat(model.seen).flatten(1).std(1)
    assert float(spreads.max()) < 1e-6


def test_the_loss_is_that_of_the_projected_features_not_of_the_outputs():
    model, head = Watched(), companions((1, 8, 8), features=64, projected=5)

    found = loss(model, head=head, turn=0.0, move=0.0, resize=0.0, dim=0.0)

    projected = head(images().flatten(1))
    assert projected.shape == (5, 5)
    torch.testing.assert_close(found, nt_xent(torch.cat([projected, projected]), 0.5))


def test_the_projection_head_has_two_layers_with_a_relu_between_them():
    first, between, second = companions((1, 28, 28), features=7, projected=3)

    assert (first.in_features, first.out_features, second.in_features, second.out_features) == (7, 7, 7, 3)
    assert isinstance(between, nn.ReLU)


def test_a_head_of_another_width_is_refused():
    with pytest.raises(ValueError, match="the encoder has 64 features, and its projection head expects 10"):
        loss(Watched(), head=companions((1, 8, 8), features=10))


def test_training_on_it_brings_views_of_one_image_together():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 8))
    head = companions((1, 8, 8), features=32, projected=16)
    optimiser = torch.optim.Adam([*model.parameters(), *head.parameters()], lr=0.01)
    first = loss(model, head=head).item()
    for _ in range(40):
        optimiser.zero_grad()
        loss(model, head=head).backward()
        optimiser.step()

    assert loss(model, head=head).item() < first - 0.2
    assert model[3].weight.grad is None  # the last layer, which detectors do not read


@pytest.mark.parametrize("shape", [(33, 33), (33, 65)])
def test_a_view_is_turned_and_not_sheared_whatever_the_sides(shape):
    """A line through the middle, across or down, is turned by the same angle."""

    class Turned:
        def uniform(self, size, dtype):
            return torch.tensor([[1.0, 0.5, 0.5, 0.5, 0.5]], dtype=dtype)  # the largest turn, and nothing else

    angles = []
    for down in (False, True):
        line = torch.zeros(1, 1, *shape)
        (line[..., shape[1] // 2] if down else line[:, :, shape[0] // 2]).fill_(1)
        values = _view(line, Turned(), 15.0, 0.0, 0.0, 0.0)[0, 0].double()
        grid = torch.meshgrid(*(torch.arange(side) - (side - 1) / 2 for side in shape), indexing="ij")
        rows, columns = (part.double() for part in grid)
        near = values * (rows.square() + columns.square() < 14**2)
        along, across = (rows, columns) if down else (columns, rows)
        angles.append(math.degrees(math.atan((near * along * across).sum() / (near * along.square()).sum())))

    assert [abs(angle) for angle in angles] == pytest.approx([15, 15], abs=0.7)

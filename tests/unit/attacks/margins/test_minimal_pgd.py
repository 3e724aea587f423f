import pytest
import torch
from linear_margins import linear_margins

from touchstone.attacks.adversary.effort import counted
from touchstone.attacks.margins.minimal_pgd import minimal_pgd
from touchstone.attacks.margins.nearest_classes import nearest_classes
from touchstone.numerics.tensors import RandomStreams


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_it_finds_the_exact_margin_of_a_linear_model(draws, norm):
    generator = torch.Generator().manual_seed(0)
    weights, bias = torch.randn(4, 6, generator=generator), 0.01 * torch.randn(4, generator=generator)
    images = 0.45 + 0.1 * torch.rand(100, 1, 2, 3, generator=generator)
    exact = linear_margins(weights, bias, images, norm)
    inside = linear_margins(weights, bias, images, "l2") < 0.4

    margins, found = minimal_pgd(lambda x: x.flatten(1) @ weights.T + bias, images, None, draws, norm=norm)

    assert found.all() and inside.sum() > 20
    assert (margins[inside] / exact[inside] - 1).min() >= -1e-4
    assert (margins[inside] / exact[inside] - 1).max() < 5e-3


def test_a_boundary_that_the_gradient_at_the_image_points_away_from_is_found():
    def model(images):  # another class below .47 and above .8; at .5 the slope leads up
        pixel = images.flatten(1)[:, 0]
        return torch.stack([0 * pixel, torch.where(pixel < 0.47, 4 - 10 * pixel, pixel - 0.8)], 1)

    images, draws = torch.full((20, 1, 1, 1), 0.5), RandomStreams(0, "attack", torch.arange(20))

    quick, thorough = (method(model, images, None, draws)[0] for method in (nearest_classes, minimal_pgd))

    torch.testing.assert_close(quick, torch.full((20,), 0.3), rtol=1e-2, atol=0)
    torch.testing.assert_close(thorough, torch.full((20,), 0.1), rtol=1e-2, atol=0)


def test_it_costs_what_the_docstring_says_and_finds_no_more_than_the_quick_method(cnn, images, draws):
    quick = nearest_classes(cnn, images, None, draws)[0]

    with counted(cnn) as effort:
        margins, found = minimal_pgd(cnn, images, None, draws)

    assert found.all() and (margins / quick).mean() < 1.003
    assert (effort.forward + effort.gradient) / len(images) <= 24 * (2 * 25 + 15) + 20


def test_a_constant_model_has_no_margin():
    images = torch.rand(3, 1, 2, 2, generator=torch.Generator().manual_seed(0))
    model = lambda x: torch.tensor([1.0, 0.0, 0.0]) + 0 * x.flatten(1).sum(1, keepdim=True)  # noqa: E731

    margins, found = minimal_pgd(model, images, None, RandomStreams(0, "attack", torch.arange(3)), rounds=3)

    assert margins.isinf().all() and not found.any()


def test_a_model_of_one_class_is_refused():
    with pytest.raises(ValueError, match="a margin needs a model with at least 2 classes, got 1"):
        minimal_pgd(
            lambda x: x.flatten(1)[:, :1], torch.rand(2, 1, 2, 2), None, RandomStreams(0, "attack", torch.arange(2))
        )

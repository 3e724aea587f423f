import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from touchstone.numerics import tensors
from touchstone.numerics.tensors import RandomStreams


def draws(count=200, seed=0, stream="attack"):
    return RandomStreams(seed, stream, torch.arange(count))


def test_draws_depend_on_the_id_and_not_on_the_batch():
    whole = draws(10).uniform((3, 2))

    parts = torch.cat([RandomStreams(0, "attack", ids).uniform((3, 2)) for ids in torch.arange(10).split(3)])

    assert torch.equal(whole, parts)


def test_taken_rows_go_on_where_they_were():
    whole = draws(10)
    whole.uniform((4,))
    part = whole.take(torch.tensor([7, 2]))

    assert torch.equal(part.uniform((4,)), whole.uniform((4,))[[7, 2]])


@pytest.mark.parametrize("other", [draws(seed=1), draws(stream="augment")])
def test_another_seed_or_stream_gives_other_draws(other):
    assert not torch.equal(draws().uniform((5,)), other.uniform((5,)))


def test_uniform_draws_are_uniform_within_and_between_examples():
    values = draws(400).uniform((50,))

    assert stats.kstest(values.flatten().numpy(), "uniform").pvalue > 0.001
    assert stats.kstest(values[:, 0].numpy(), "uniform").pvalue > 0.001
    assert values.min() >= 0
    assert values.max() < 1


def test_draws_of_consecutive_calls_are_not_correlated():
    source = draws(4000)

    first, second = source.uniform(()), source.uniform(())

    assert abs(np.corrcoef(first.numpy(), second.numpy())[0, 1]) < 0.06


def test_normal_draws_are_normal():
    assert stats.kstest(draws(400).normal((50,)).flatten().numpy(), "norm").pvalue > 0.001


def test_integers_cover_their_range_evenly():
    counts = torch.bincount(draws(3000).integers(5), minlength=5)

    assert stats.chisquare(counts.numpy()).pvalue > 0.001


def test_signs_are_plus_or_minus_one():
    assert set(draws(50).signs((9,)).unique().tolist()) == {-1.0, 1.0}


def test_grid_rounding_goes_towards_the_anchor_and_never_away():
    anchor = torch.randint(0, 256, (50, 1, 4, 4), generator=torch.Generator().manual_seed(0)) / 255
    images = (anchor + 0.1 * (2 * torch.rand(anchor.shape, generator=torch.Generator().manual_seed(1)) - 1)).clamp(0, 1)

    rounded = tensors.to_grid_towards(images, anchor)

    assert ((rounded * 255 - (rounded * 255).round()).abs() < 1e-4).all()
    assert ((rounded - anchor).abs() <= (images - anchor).abs() + 1e-6).all()
    assert ((rounded - images).abs() <= 1 / 255 + 1e-6).all()


def test_values_on_the_grid_stay():
    images = torch.arange(256) / 255

    assert torch.equal(tensors.to_grid_towards(images, torch.zeros(256)), images)


def test_frozen_gives_modes_and_flags_back_after_an_error():
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    model[1].eval()
    model[0].weight.requires_grad_(False)

    with pytest.raises(RuntimeError), tensors.frozen(model):
        assert not model[0].training
        assert not any(parameter.requires_grad for parameter in model.parameters())
        raise RuntimeError

    assert model[0].training
    assert not model[1].training
    assert [parameter.requires_grad for parameter in model.parameters()] == [False, True, True, True]


def test_seeded_leaves_the_global_generator_as_it_was():
    torch.manual_seed(5)
    before = torch.get_rng_state()

    with tensors.seeded(0, "init"):
        first = torch.rand(3)
    with tensors.seeded(0, "init"):
        second = torch.rand(3)

    assert torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), before)


def test_normalisation_is_a_layer_on_pixels():
    model = tensors.with_normalisation(nn.Flatten(), (0.5,), (0.25,))

    assert torch.allclose(model(torch.full((1, 1, 1, 2), 0.75)), torch.tensor([[1.0, 1.0]]))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_rows_that_are_not_finite_are_counted(value):
    rows = torch.zeros(5, 2, 3)
    tensors.check_finite("rows", rows)
    tensors.check_finite("none", rows[:0])
    rows[1, 0, 0] = rows[1, 1, 1] = rows[4, 1, 2] = value

    with pytest.raises(ValueError, match="features: 2 of 5 rows hold NaN or infinity"):
        tensors.check_finite("features", rows)
    with pytest.raises(ValueError, match="alpha: 1 of 1 rows"):
        tensors.check_finite("alpha", torch.tensor(value))

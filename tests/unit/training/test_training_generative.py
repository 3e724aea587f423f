"""Games between networks: what each is trained on, and that none is trained on another's loss."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from touchstone.data.natural_shift import natural_shift
from touchstone.models.networks import checkpoints
from touchstone.models.patch_discriminator import patch_discriminator
from touchstone.models.unet import unet
from touchstone.numerics import precision
from touchstone.numerics.tensors import RandomStreams
from touchstone.records.nouns import ExampleSet
from touchstone.training import cycle_gan, pix2pix, shift_translation
from touchstone.training._generative import discriminator_loss, generator_loss, patch_loss

torch.set_num_threads(1)
SHAPE = (1, 8, 8)
JUDGE = partial(patch_discriminator, filters=2, layers=1)


def images(count=4):
    return torch.rand(count, *SHAPE, generator=torch.Generator().manual_seed(0))


def moved_unet(shape):
    torch.manual_seed(1)
    network = unet(shape, filters=2)
    network.correction.reset_parameters()
    return network


def darker(classifier, points, labels, generator):
    return 0.5 * points


def loss(objective, model, companions, points, **settings):
    draws, labels = RandomStreams(0, "attack", torch.arange(len(points))), torch.zeros(len(points), dtype=torch.int64)
    return objective(model, points, labels, draws, nn.Identity(), companions, attack=darker, **settings)


def test_a_game_that_no_one_has_played_costs_log_2_or_a_quarter():
    patches = torch.zeros(2, 1, 3, 3)

    for real in (True, False):
        assert patch_loss(patches, real, "vanilla").item() == pytest.approx(math.log(2))
        assert patch_loss(patches + 0.5, real, "least_squares").item() == pytest.approx(0.25)


@pytest.mark.parametrize("gan", ["vanilla", "least_squares"])
def test_each_side_of_the_game_gets_the_gradient_of_its_own_loss_alone(gan):
    judge, made = JUDGE(SHAPE), images().repeat(1, 2, 1, 1).requires_grad_()

    torch.autograd.backward(generator_loss(judge, made, gan))
    assert made.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in judge.parameters())

    made.grad = None
    torch.autograd.backward(discriminator_loss(judge, images().repeat(1, 2, 1, 1), made, gan))
    assert made.grad is None
    assert all(parameter.grad is not None for parameter in judge.parameters())


def test_a_perfect_translator_has_no_pixel_loss():
    model = checkpoints.build(unet, SHAPE, 0, (0.0,), (1.0,))  # a fresh one is the identity
    companions = pix2pix.companions(SHAPE, discriminator=JUDGE)

    same = partial(loss, pix2pix.pix2pix, model, companions, images(), gan="vanilla")
    with_pixels, without = same(pixel_weight=1e6), same(pixel_weight=0.0)

    # The attack halves the images, so the identity is not perfect; on black ones it is.
    assert with_pixels > without + 1
    black = partial(loss, pix2pix.pix2pix, model, companions, torch.zeros(4, *SHAPE), gan="vanilla")
    assert black(pixel_weight=1e6) == black(pixel_weight=0.0)


@pytest.mark.parametrize(
    ("module", "further"), [(pix2pix, {}), (cycle_gan, {"generator_back": moved_unet})], ids=["pix2pix", "cycle_gan"]
)
def test_an_epoch_is_chosen_by_the_distance_to_the_clean_images(module, further):
    model = moved_unet(SHAPE).eval()
    judge = partial(JUDGE, paired=module is pix2pix)
    objective = getattr(module, module.__name__.rpartition(".")[2])

    found = loss(objective, model, module.companions(SHAPE, discriminator=judge, **further), images())

    assert torch.equal(found, (model(0.5 * images()) - images()).abs().mean())


def test_cycle_gan_trains_all_four_networks():
    model = moved_unet(SHAPE)
    judge = partial(JUDGE, paired=False)
    companions = cycle_gan.companions(SHAPE, generator_back=moved_unet, discriminator=judge)

    torch.autograd.backward(loss(cycle_gan.cycle_gan, model, companions, images()))

    for network in (model, *companions.values()):
        assert any(bool((parameter.grad != 0).any()) for parameter in network.parameters())


def test_a_discriminator_of_pairs_is_refused_where_single_images_are_judged_and_the_other_way_round():
    with pytest.raises(ValueError, match="given single images: set its `paired` to false"):
        cycle_gan.companions(SHAPE, generator_back=moved_unet, discriminator=JUDGE)
    with pytest.raises(ValueError, match="given pairs of images: set its `paired` to true"):
        pix2pix.companions(SHAPE, discriminator=partial(JUDGE, paired=False))


def test_two_generators_that_undo_each_other_have_no_cycle_loss():
    model = checkpoints.build(unet, SHAPE, 0, (0.0,), (1.0,))
    back = partial(unet, filters=2)
    companions = cycle_gan.companions(SHAPE, generator_back=back, discriminator=partial(JUDGE, paired=False))

    weights = [loss(cycle_gan.cycle_gan, model, companions, images(), cycle_weight=weight) for weight in (0.0, 1e6)]

    assert weights[0].item() == pytest.approx(weights[1].item())


@pytest.mark.parametrize("shift", ["darker", "sharper"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("number", ["float32", "bfloat16"])
def test_shifted_training_images_are_those_of_the_natural_shift(shift, channels, number):
    pixels = (torch.rand(5, channels, 9, 9, generator=torch.Generator().manual_seed(3)) * 255).round() / 255
    labels = torch.zeros(5, dtype=torch.int64)
    examples = ExampleSet(pixels.numpy(), labels.numpy(), torch.arange(5).numpy(), "here")
    seen = []

    objective = precision.objective(shift_translation.shift_translation, {"precision": number, "device": "cpu"})
    objective(
        lambda points: seen.append(points) or points, pixels, labels, RandomStreams(0, "", torch.arange(5)), shift=shift
    )

    expected = torch.from_numpy(natural_shift(examples, shift=shift).images)
    assert (seen[0] - expected).abs().max() * 255 < 1e-3


def test_a_colour_whose_gray_lies_between_two_levels_is_darkened_as_the_natural_shift_does():
    every = np.stack(np.meshgrid(*[np.arange(256)] * 3, indexing="ij"), -1).reshape(-1, 3)
    colours = every[every @ shift_translation.LUMA % 65536 == 32768]
    pixels = torch.tensor(colours / np.float32(255), dtype=torch.float32).view(-1, 3, 1, 1).expand(-1, -1, 4, 4)
    labels = torch.zeros(len(colours), dtype=torch.int64)
    examples = ExampleSet(pixels.numpy(), labels.numpy(), np.arange(len(colours)), "here")
    seen = []

    shift_translation.shift_translation(lambda points: seen.append(points) or points, pixels, labels, None)

    assert len(colours) > 200
    assert np.array_equal((seen[0] * 255).round(), (natural_shift(examples, shift="darker").images * 255).round())

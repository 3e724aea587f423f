"""Sizes and fixed points of the translators, and the patches of the discriminator."""

import pytest
import torch
from torch import nn

from touchstone.models.patch_discriminator import patch_discriminator
from touchstone.models.resnet_generator import resnet_generator
from touchstone.models.unet import unet

torch.set_num_threads(1)


def count(network):
    return sum(parameter.numel() for parameter in network.parameters())


def test_a_fresh_unet_is_the_identity():
    images = torch.rand(3, 3, 16, 12, generator=torch.Generator().manual_seed(0))

    assert torch.equal(unet((3, 16, 12), filters=4)(images), images)


def test_a_unet_clips_the_corrected_image():
    model = unet((1, 4, 4), filters=2)
    with torch.no_grad():
        model.correction.bias.fill_(-0.3)
    images = torch.full((1, 1, 4, 4), 0.25)
    images[..., 0] = 0.75

    translated = model(images)

    assert torch.equal(translated[..., 1:], torch.zeros(1, 1, 4, 3))
    torch.testing.assert_close(translated[..., 0], torch.full((1, 1, 4), 0.45))


@pytest.mark.parametrize("architecture", [unet, resnet_generator])
@pytest.mark.parametrize("side", [28, 30, 13])
def test_a_translator_keeps_sides_that_four_does_not_divide(architecture, side):
    model = architecture((1, side, side + 1), filters=2)

    assert model(torch.rand(2, 1, side, side + 1)).shape == (2, 1, side, side + 1)


def test_the_generator_has_the_published_number_of_weights():
    assert count(resnet_generator((3, 32, 32), blocks=9)) == 11_378_179  # pix2pix prints 11.378 M


def test_a_generator_that_makes_nothing_makes_mid_grey_and_reaches_both_ends():
    model = resnet_generator((1, 8, 8), filters=2, blocks=1)
    last = model.layers[-1]
    with torch.no_grad():
        last.weight.zero_()

        made = []
        for bias in (0.0, -1.5, 1.5):
            last.bias.fill_(bias)
            made.append(float(model(torch.rand(1, 1, 8, 8)).unique()))

    assert made == [0.5, 0.0, 1.0]


@pytest.mark.parametrize(("layers", "field"), [(2, 34), (3, 70)])
def test_a_discriminator_logit_sees_the_published_patch(layers, field):
    model = patch_discriminator((1, 96, 96), filters=2, layers=layers)
    # Instance normalisation sees the whole image; the patch is that of the convolutions.
    convolutions = nn.Sequential(*[part for part in model if not isinstance(part, nn.InstanceNorm2d)]).double()
    pair = torch.rand(1, 2, 96, 96, dtype=torch.float64).requires_grad_()

    logits = convolutions(pair)
    (gradient,) = torch.autograd.grad(logits[0, 0, logits.shape[2] // 2, logits.shape[3] // 2], pair)

    seen = torch.nonzero(gradient.abs().sum((0, 1, 2)))[:, 0]
    assert int(seen.max() - seen.min()) + 1 == field


def test_a_discriminator_has_the_published_number_of_weights():
    convolutions = sum(
        16 * channels * filters + filters
        for channels, filters in [(6, 64), (64, 128), (128, 256), (256, 512), (512, 1)]
    )

    assert count(patch_discriminator((3, 256, 256), layers=3)) == convolutions


@pytest.mark.parametrize(("layers", "least"), [(1, 6), (2, 12), (3, 24)])
def test_a_discriminator_is_refused_for_images_that_it_cannot_train_on(layers, least):
    patch_discriminator((1, least, least), filters=2, layers=layers, paired=False).train()(
        torch.rand(1, 1, least, least)
    )

    with pytest.raises(ValueError, match=f"needs images of at least {least} pixels a side, got 30 x {least - 1}"):
        patch_discriminator((1, 30, least - 1), filters=2, layers=layers)

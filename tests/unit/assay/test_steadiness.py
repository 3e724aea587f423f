"""A model whose logits depend on chance or on the batch is found, whatever the scale of its logits."""

import pytest
import torch

from touchstone.assay.program_export import check_same
from touchstone.assay.steadiness import check_steady, varies

IMAGES = torch.rand(8, 1, 2, 2, generator=torch.Generator().manual_seed(0))


def plain(images):
    return images.flatten(1)


def centred(images):
    return images.flatten(1) - images.flatten(1).mean(0)


def noisy(images):
    return images.flatten(1) + torch.rand(len(images), 4)


@pytest.mark.parametrize("scale", [1e-12, 1e-6, 1e-3, 1, 1e6])
def test_a_dependence_is_found_at_any_scale(scale):
    check_steady(lambda images: scale * plain(images), IMAGES, scale * plain(IMAGES))

    with pytest.raises(ValueError, match="depend on the other images of the batch"):
        check_steady(lambda images: scale * centred(images), IMAGES, scale * centred(IMAGES))
    with pytest.raises(ValueError, match="returns other logits each time"):
        check_steady(lambda images: scale * noisy(images), IMAGES, scale * noisy(IMAGES))


def test_logits_of_zero_do_not_vary():
    assert not varies(lambda images: 0 * plain(images), IMAGES, 0 * plain(IMAGES))


@pytest.mark.parametrize("masked", [-9, -1e4, -1e9])
def test_a_masked_class_hides_no_dependence(masked):
    def with_mask(model):
        return lambda images: torch.cat([model(images), torch.full((len(images), 1), masked)], 1)

    for model, words in ((centred, "other images of the batch"), (noisy, "other logits each time")):
        model = with_mask(model)
        with pytest.raises(ValueError, match=words):
            check_steady(model, IMAGES, model(IMAGES))
    check_same(with_mask(plain), with_mask(plain), IMAGES)
    with pytest.raises(ValueError, match="returns other logits than the network"):
        check_same(with_mask(plain), with_mask(lambda images: 1 - plain(images)), IMAGES)


def test_a_program_that_returns_nan_is_not_the_network():
    with pytest.raises(ValueError, match="returns other logits than the network"):
        check_same(plain, lambda images: plain(images) * torch.nan, IMAGES)


@pytest.mark.parametrize(
    "answer", [lambda images: plain(images)[:, :1], lambda images: plain(images)[:, 0], lambda images: images]
)
def test_a_program_is_compared_with_the_network_whatever_its_output_is(answer):
    check_same(answer, answer, IMAGES)
    with pytest.raises(ValueError, match="returns other logits than the network"):
        check_same(answer, lambda images: 1 - answer(images), IMAGES)

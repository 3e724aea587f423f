"""A model whose logits depend on chance or on the batch is found, whatever the scale of its logits."""

import pytest
import torch

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

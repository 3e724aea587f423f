"""Translator objectives, with translators and attacks whose loss is known."""

import pytest
import torch

from touchstone.numerics.tensors import RandomStreams
from touchstone.training.denoising import denoising
from touchstone.training.translation import translation

torch.set_num_threads(1)


@pytest.fixture
def batch():
    images = 0.3 + 0.4 * torch.rand(400, 1, 3, 3, generator=torch.Generator().manual_seed(0))
    return images, torch.arange(400) % 10, RandomStreams(0, "attack", torch.arange(400))


def brighter(model, images, labels, generator):
    return images + 0.1


def identity(images):
    return images


def test_the_identity_pays_the_size_of_the_attack(batch):
    loss = translation(identity, *batch, identity, attack=brighter)

    assert float(loss) == pytest.approx(0.1, rel=1e-5)


def test_a_translator_that_undoes_the_attack_pays_nothing(batch):
    loss = translation(lambda images: images - 0.1, *batch, identity, attack=brighter)

    assert float(loss) == pytest.approx(0, abs=1e-7)


def test_the_clean_share_is_drawn_image_by_image(batch):
    images, labels, draws = batch
    seen = []

    def translator(given):
        seen.append(given)
        return given

    translation(translator, images, labels, draws, identity, attack=brighter, clean_share=0.25)

    changed = (seen[0] - images).flatten(1)
    left_alone = (changed == 0).all(1)
    assert bool(((changed > 0.09).all(1) | left_alone).all())
    assert abs(float(left_alone.float().mean()) - 0.25) < 0.08  # 400 draws


def test_a_clean_share_of_one_leaves_every_image_alone(batch):
    loss = translation(identity, *batch, identity, attack=brighter, clean_share=1.0)

    assert float(loss) == 0


def test_the_attack_is_made_on_the_frozen_classifier(batch):
    classifier = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Dropout(0.5), torch.nn.Linear(9, 10)).train()
    seen = []

    def watching(model, images, labels, generator):
        seen.append((model is classifier, model.training, model[2].weight.requires_grad))
        return images

    translation(identity, *batch, classifier, attack=watching)

    assert seen == [(True, False, False)]
    assert classifier.training and classifier[2].weight.requires_grad


def test_denoising_costs_the_identity_the_mean_absolute_noise(batch):
    loss = denoising(identity, *batch, eps=0.2)

    assert float(loss) == pytest.approx(0.1, rel=0.05)  # 3600 draws of |U(-.2, .2)|, nothing clipped


def test_denoising_starts_from_images_in_the_unit_interval(batch):
    images, labels, draws = batch
    seen = []

    denoising(lambda given: seen.append(given) or given, torch.ones_like(images), labels, draws)

    assert float(seen[0].max()) == 1 and float(seen[0].min()) >= 0.9

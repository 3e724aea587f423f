import torch

from touchstone.attacks.mix import mix
from touchstone.numerics.tensors import RandomStreams

IMAGES = torch.full((60, 1, 2, 2), 0.5)
LABELS = torch.zeros(60, dtype=torch.int64)


def model(images):
    return images.flatten(1)[:, :2]


def darker(model, images, labels, generator):
    return images - 0.1


def lighter(model, images, labels, generator):
    return images + 0.1


def mixed(rows=slice(None), attacks=(darker, lighter)):
    return mix(
        model, IMAGES[rows], LABELS[rows], RandomStreams(0, "attack", torch.arange(60)[rows]), attacks=list(attacks)
    )


def test_each_image_gets_one_of_the_attacks_and_both_are_used():
    found = mixed()

    changes = (found - IMAGES).flatten(1)
    assert torch.allclose(changes.abs(), torch.full((60, 4), 0.1))
    assert 20 <= int((changes[:, 0] > 0).sum()) <= 40


def test_which_one_depends_on_the_image_and_not_on_its_batch():
    assert torch.equal(mixed(slice(30, 60)), mixed()[30:])

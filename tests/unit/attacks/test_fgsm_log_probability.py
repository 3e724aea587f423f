import torch
from torch import nn

from touchstone.attacks.fgsm import fgsm
from touchstone.attacks.fgsm_log_probability import fgsm_log_probability
from touchstone.models.shallow_rbf import shallow_rbf
from touchstone.numerics.tensors import RandomStreams


def rbf(centres):
    model = shallow_rbf((1, 1, 2), 2).double()
    with torch.no_grad():
        model.centres.copy_(torch.tensor(centres))
        model.log_precision.fill_(0.0)
    return model


IMAGES = torch.tensor([[[[0.4, 0.9]]]], dtype=torch.float64)
LABELS = torch.tensor([0])
NONE = RandomStreams(0, "attack", torch.arange(1))


def test_every_pixel_of_an_rbf_network_moves_away_from_the_centre_of_the_label():
    found = fgsm_log_probability(rbf([[0.5, 0.5], [0.0, 0.0]]), IMAGES, LABELS, NONE, eps=0.25, clip=False)

    torch.testing.assert_close(found, torch.tensor([[[[0.15, 1.15]]]], dtype=torch.float64))


def test_the_softmax_loss_moves_towards_the_other_centre_instead():
    model = rbf([[0.5, 0.5], [0.0, 0.0]])

    softmax = fgsm(model, IMAGES, LABELS, NONE, eps=0.25, clip=False)
    own = fgsm_log_probability(model, IMAGES, LABELS, NONE, eps=0.25, clip=False)

    torch.testing.assert_close(softmax, torch.tensor([[[[0.15, 0.65]]]], dtype=torch.float64))
    assert model(own)[0, 0] < model(softmax)[0, 0]


def test_clipped_images_stay_in_range_and_within_eps():
    found = fgsm_log_probability(rbf([[0.5, 0.5], [0.0, 0.0]]), IMAGES, LABELS, NONE, eps=0.25)

    torch.testing.assert_close(found, torch.tensor([[[[0.15, 1.0]]]], dtype=torch.float64))


def test_a_pixel_that_the_label_does_not_depend_on_stays():
    model = nn.Sequential(nn.Flatten(), nn.Linear(2, 2, bias=False)).double()
    with torch.no_grad():
        model[1].weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))

    found = fgsm_log_probability(model, IMAGES, LABELS, NONE, eps=0.1)

    torch.testing.assert_close(found, torch.tensor([[[[0.3, 0.9]]]], dtype=torch.float64))

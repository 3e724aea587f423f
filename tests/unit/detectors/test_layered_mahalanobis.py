import pytest
import torch
from torch import nn

from touchstone.attacks.adaptive.score_pgd import score_pgd
from touchstone.attacks.adversary.defences import Guarded
from touchstone.attacks.softmax_transfer import softmax_transfer
from touchstone.detectors import mahalanobis
from touchstone.detectors._layer_features import layer_features
from touchstone.detectors.layered_mahalanobis import fit, layered_mahalanobis
from touchstone.numerics.tensors import RandomStreams, derive

CLASSES, SIDE = 3, 4


class Forgetful(nn.Module):
    """Two hidden layers, of which the second has forgotten all but the first half of the pixels."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.last = nn.Linear(16, 16), nn.Linear(16, 8), nn.Linear(8, CLASSES)
        with torch.no_grad():
            for layer, weight in (
                (self.first, torch.eye(16)),
                (self.second, torch.eye(8, 16)),
                (self.last, torch.eye(CLASSES, 8)),
            ):
                layer.weight.copy_(weight)
                layer.bias.zero_()

    def forward(self, images):
        self.to(images.dtype)
        return self.last(self.second(self.first(images.flatten(1))))


def pictures(rows, seed, odd=0.0):
    """Images of three classes, told apart by their first pixels; `odd` moves the last ones."""
    draw = torch.Generator().manual_seed(seed)
    labels = torch.arange(rows) % CLASSES
    pixels = (
        0.1 * torch.randn(rows, 16, generator=draw, dtype=torch.float64)
        + torch.eye(CLASSES, 16, dtype=torch.float64)[labels]
    )
    pixels[:, 8:] += odd
    return pixels.view(rows, 1, SIDE, SIDE), labels


def test_each_layer_but_the_first_is_read_with_space_averaged():
    model = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(), nn.Conv2d(2, 5, 3), nn.Flatten(), nn.Linear(20, 3))
    images = torch.rand(6, 1, 4, 4)

    layers = layer_features(model, images)

    torch.testing.assert_close(layers[0], model[:2](images).mean((2, 3)))
    torch.testing.assert_close(layers[1], model[:4](images))
    assert not model[0]._forward_pre_hooks
    with pytest.raises(ValueError, match="1 linear or convolutional layers has no hidden layer"):
        layer_features(nn.Sequential(nn.Flatten(), nn.Linear(16, 3)), images)


class Tokens(nn.Module):
    """Two linear layers on six patches of each image, (N, 2, 3, D), then a linear layer on their mean."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.last = nn.Linear(4, 5), nn.Linear(5, 7), nn.Linear(7, CLASSES)

    def hidden(self, images):
        return self.first(images.view(-1, 2, 3, 4)).relu()

    def forward(self, images):
        return self.last(self.second(self.hidden(images)).mean((1, 2)))


def test_of_a_linear_layer_on_patches_the_units_are_read_with_the_patches_averaged():
    model, images = Tokens(), torch.rand(6, 1, 4, 6, generator=torch.Generator().manual_seed(0))

    patches, last = layer_features(model, images)

    torch.testing.assert_close(patches, model.hidden(images).mean((1, 2)))
    assert patches.shape == (6, 5) and last.shape == (6, 7)


def test_with_one_hidden_layer_it_is_the_plain_distance_on_other_axes():
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 6), nn.Linear(6, CLASSES)).double()
    (images, labels), (odd, _) = pictures(200, 0), pictures(100, 1, odd=0.3)
    order = torch.randperm(200, generator=torch.Generator().manual_seed(derive(0, "order")))

    state = fit(images, labels, odd, model, 0, shrinkage=0.01)
    plain = mahalanobis.fit(layer_features(model, images[order[:100]])[0].detach(), labels[order[:100]], shrinkage=0.01)

    for name in ("means", "whitening"):  # of the first half alone
        torch.testing.assert_close(state[f"{name}.0"], plain[name])
    found = layered_mahalanobis(odd, model, state).detach()
    distances = mahalanobis.mahalanobis(layer_features(model, odd)[0], plain).detach()
    slope = state["weights"] / state["scale"]
    torch.testing.assert_close(found, (distances - state["centre"]) * slope + state["bias"])
    assert slope > 0


def test_an_anomaly_that_the_last_layer_has_forgotten_is_found_in_an_earlier_one():
    model = Forgetful()
    (images, labels), (odd, _) = pictures(300, 0), pictures(150, 1, odd=0.3)
    (known, _), (anomalous, _) = pictures(150, 2), pictures(150, 3, odd=0.3)

    def auroc(scores):
        return (scores(anomalous)[:, None] > scores(known)).double().mean()

    last = mahalanobis.fit(layer_features(model, images)[-1].detach(), labels)
    state = fit(images, labels, odd, model, 0)

    assert auroc(lambda x: mahalanobis.mahalanobis(layer_features(model, x)[-1], last)) < 0.6
    assert auroc(lambda x: layered_mahalanobis(x, model, state)) > 0.95
    assert state["weights"][0] > abs(state["weights"][1])


def test_its_gradient_is_that_of_finite_differences_through_every_layer():
    model = Forgetful()
    (images, labels), (odd, _) = pictures(60, 0), pictures(60, 1, odd=0.3)
    state = fit(images, labels, odd, model, 0)
    points = pictures(3, 4)[0].requires_grad_()

    assert torch.autograd.gradcheck(lambda x: layered_mahalanobis(x, model, state), points)


def test_too_few_images_are_refused():
    images, labels = pictures(3, 0)

    with pytest.raises(ValueError, match="3 ID images cannot be halved"):
        fit(images, labels, images, Forgetful(), 0)


def test_it_is_attacked_through_its_own_regression_which_the_softmax_does_not_show():
    model = Forgetful().double()
    (images, labels), (odd, _) = pictures(60, 0), pictures(60, 1, odd=0.3)
    state = fit(images, labels, odd, model, 0)
    victims, known = (pictures(12, 2, odd=0.3)[0] + 0.3).clamp(0, 1), torch.zeros(12, dtype=torch.bool)
    defence = Guarded(model, layered_mahalanobis, ("images", "model", "state"), state, 0.0, 1.0, {})

    def anomaly(attacked):
        return layered_mahalanobis(attacked, model, state).detach()

    def draws():
        return RandomStreams(0, "attack", torch.arange(12))

    own = score_pgd(defence, victims, known, draws(), eps=0.1, restarts=1, imitations=0)
    transferred = softmax_transfer(model, victims, known, draws(), eps=0.1, steps=40)

    # The paper raises the cross-entropy of the regression's two classes, which is softplus(-logit) of an outlier.
    loss = torch.nn.functional.softplus(-anomaly(own)) - torch.nn.functional.softplus(-anomaly(victims))
    assert (loss > 0).all()
    assert (anomaly(own) < anomaly(transferred)).all()


def test_only_the_last_layers_are_read_if_asked():
    model = Forgetful()
    (images, labels), (odd, _) = pictures(300, 0), pictures(150, 1, odd=0.3)
    (known, _), (anomalous, _) = pictures(150, 2), pictures(150, 3, odd=0.3)

    state = fit(images, labels, odd, model, 0, layers=1)
    scores = [layered_mahalanobis(x, model, state).detach() for x in (known, anomalous)]

    assert len(state["weights"]) == 1 and state["means.0"].shape == (CLASSES, 8)
    assert (scores[1][:, None] > scores[0]).double().mean() < 0.6  # the last layer has forgotten what is odd

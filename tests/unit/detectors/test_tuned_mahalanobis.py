import pytest
import torch
from torch import nn

from touchstone.attacks.adaptive.score_pgd import score_pgd
from touchstone.attacks.adversary.defences import Guarded
from touchstone.detectors import mahalanobis
from touchstone.detectors._halves import halves
from touchstone.detectors._layer_features import layer_features
from touchstone.detectors.tuned_mahalanobis import fit, tuned_mahalanobis
from touchstone.numerics.tensors import RandomStreams

CLASSES, ROWS = 3, 200


@pytest.fixture
def model():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers = nn.Linear(16, 12), nn.Tanh(), nn.Linear(12, 6), nn.Tanh(), nn.Linear(6, CLASSES)
        return nn.Sequential(nn.Flatten(), *layers).double().requires_grad_(False)


class SlopeInPixel(nn.Module):
    """One feature: the first pixel, times a slope that the second pixel gives and no gradient reaches."""

    def __init__(self):
        super().__init__()
        self.unread, self.last = nn.Linear(2, 1).double(), nn.Linear(1, 2).double()

    def forward(self, images):
        pixels = images.flatten(1)
        self.unread(pixels)  # the first layer, whose input is no hidden layer
        return self.last(pixels[:, :1] * pixels[:, 1:].detach())


def pictures(rows=ROWS, seed=0):
    draw = torch.Generator().manual_seed(seed)
    labels = torch.arange(rows) % CLASSES
    noise = 0.1 * torch.rand(rows, 16, generator=draw, dtype=torch.float64)
    return (noise + 0.5 * torch.eye(CLASSES, 16, dtype=torch.float64)[labels]).view(rows, 1, 4, 4), labels


def doubled():
    """A network whose features are twice the pixels, two images, and Gaussians with identity covariance.

    The images are (0.6, -0.4) and (-0.3, -0.6) from the means that they are nearest to.
    """
    model = nn.Sequential(nn.Flatten(), nn.Linear(2, 2, bias=False), nn.Linear(2, 2)).double().requires_grad_(False)
    model[1].weight.copy_(2 * torch.eye(2))
    images = torch.tensor([[0.5, 0.1], [0.5, 0.9]], dtype=torch.float64).view(2, 1, 1, 2)
    means = torch.tensor([[0.4, 0.6], [1.3, 2.4]], dtype=torch.float64)
    return model, images, {"means": means, "whitening": torch.eye(2, dtype=torch.float64)}


def of_features(values, slope):
    """Images of `SlopeInPixel` with these features (N,)."""
    features = torch.tensor(values, dtype=torch.float64)
    return torch.stack([features / slope, torch.full_like(features, slope)], dim=1).view(-1, 1, 1, 2)


def magnitude_for(anomalous):
    """The choice among 0, .1, ..., .8 if a step moves the features of ID images twice as far as those of anomalies.

    ID images have a distance of .4 from the mean, those that give the Gaussians one of 1.
    """
    first, second = halves(40, 0)
    values = torch.tensor([1.0, -1.0]).repeat(20)
    values[first], values[second] = torch.tensor([1.0, -1.0]).repeat(10), torch.tensor([0.4, -0.4]).repeat(10)
    images, labels = of_features(values.tolist(), 1.0), torch.zeros(40, dtype=torch.long)

    state = fit(images, labels, of_features(anomalous, 0.5), SlopeInPixel(), 0, largest=0.8, choices=9, batch_size=16)

    torch.testing.assert_close(state["means"], torch.zeros(1, 1, dtype=torch.float64), rtol=0, atol=1e-9)
    return state["magnitude"].item()


def test_without_a_step_it_is_mahalanobis_fitted_on_one_half(model):
    images, labels = pictures()
    first, _ = halves(ROWS, 0)

    state = fit(images, labels, pictures(seed=1)[0], model, 0, largest=0.0)

    assert state["magnitude"].item() == 0
    plain = mahalanobis.fit(layer_features(model, images[first])[-1], labels[first])
    assert all(torch.equal(state[name], values) for name, values in plain.items())
    seen = pictures(seed=2)[0]
    expected = mahalanobis.mahalanobis(layer_features(model, seen)[-1], plain)
    assert torch.equal(tuned_mahalanobis(seen, model, state), expected)


def test_with_identity_covariance_the_step_lowers_each_coordinate_by_its_slope_times_the_magnitude():
    model, images, state = doubled()

    before, after = (
        tuned_mahalanobis(images, model, state | {"magnitude": torch.tensor([size])}).detach() for size in (0.0, 0.1)
    )

    # Each 0.2 less in size after the step.
    torch.testing.assert_close(before, torch.tensor([0.26, 0.225], dtype=torch.float64))
    torch.testing.assert_close(after, torch.tensor([0.10, 0.085], dtype=torch.float64))


def test_the_magnitude_is_the_one_that_separates_best():
    """With magnitude m up to .4, outliers pass if their feature is at most .4 - m / 2; beyond .4, steps overshoot."""
    assert magnitude_for([0.22, 0.32, 0.9]) == pytest.approx(0.4)
    assert magnitude_for([-0.22, 0.32, -0.9]) == pytest.approx(0.4)


def test_among_equal_magnitudes_the_smallest_wins():
    """No outlier passes at .2, .3 and .4."""
    assert magnitude_for([0.32, 0.38, 0.9]) == pytest.approx(0.2)
    assert magnitude_for([0.9, 1.2]) == 0


def test_the_gradient_of_the_score_is_that_of_the_distance_at_the_stepped_image(model):
    (images, labels), size = pictures(), 0.003
    state = fit(images, labels, pictures(seed=1)[0], model, 0) | {"magnitude": torch.tensor([size])}
    points, unmoved = pictures(5, seed=2)[0].requires_grad_(), state | {"magnitude": torch.zeros(1)}

    (towards,) = torch.autograd.grad(tuned_mahalanobis(points, model, unmoved).sum(), points)
    stepped = (points.detach() - size * towards.sign()).requires_grad_()
    (expected,) = torch.autograd.grad(tuned_mahalanobis(stepped, model, unmoved).sum(), stepped)

    (gradient,) = torch.autograd.grad(tuned_mahalanobis(points, model, state).sum(), points)
    torch.testing.assert_close(gradient, expected)
    assert not torch.allclose(gradient, towards)
    assert torch.autograd.gradcheck(lambda x: tuned_mahalanobis(x, model, state), points)


def test_it_agrees_with_pytorch_ood(model):
    (images, labels), encoder = pictures(), model[:5]
    first, _ = halves(ROWS, 0)
    state = fit(images, labels, pictures(seed=1)[0], model, 0, shrinkage=0.0) | {"magnitude": torch.tensor([0.02])}
    reference = pytest.importorskip("pytorch_ood.detector").MahalanobisODIN(encoder, eps=0.02)
    reference.fit_features(1e3 * layer_features(model, images[first])[-1].float(), labels[first])
    base = reference._base  # theirs inverts the scatter, ours the covariance, and theirs adds 1e-6
    base.mu, base.precision = base.mu.double() / 1e3, base.precision.double() * 1e6 * len(first)
    odd = torch.rand(50, 1, 4, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)

    torch.testing.assert_close(tuned_mahalanobis(odd, model, state), reference.predict(odd), rtol=1e-3, atol=1e-4)


def test_it_is_attacked_through_its_own_step():
    """An attack moves each coordinate by 2 * .05, towards the mean for outliers, and the step by 2 * .1."""
    model, images, state = doubled()
    state |= {"magnitude": torch.tensor([0.1])}
    defence = Guarded(model, tuned_mahalanobis, ("images", "model", "state"), state, 0.0, 1.0, {})

    def attacked(known):
        draws, sides = RandomStreams(0, "attack", torch.arange(2)), torch.tensor([known, known])
        victims = score_pgd(defence, images, sides, draws, eps=0.05, restarts=1, imitations=0)
        return tuned_mahalanobis(victims, model, state).detach()

    outliers = [0.5 * (0.3**2 + 0.1**2), 0.5 * (0.0**2 + 0.3**2)]
    known = [0.5 * (0.5**2 + 0.3**2), 0.5 * (0.2**2 + 0.5**2)]
    torch.testing.assert_close(attacked(False), torch.tensor(outliers, dtype=torch.float64), rtol=1e-3, atol=0)
    torch.testing.assert_close(attacked(True), torch.tensor(known, dtype=torch.float64), rtol=1e-3, atol=0)

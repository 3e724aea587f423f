"""tuned_mahalanobis: the distance to the nearest class mean, after the step that separates held-out outliers best."""

from __future__ import annotations

from torch import Tensor, nn

from touchstone.attacks.adversary.losses import loss_and_input_gradient
from touchstone.contracts import NonNegativeFloat, PositiveInt, UnitInterval
from touchstone.detectors._gaussians import fit_gaussians, squared_distances
from touchstone.detectors._halves import halves
from touchstone.detectors._input_steps import best_magnitude, stepped
from touchstone.detectors._layer_features import all_layer_features, layer_features


def fit(
    fit_images: Tensor,
    fit_labels: Tensor,
    anomalous_images: Tensor,
    model: nn.Module,
    seed: int,
    *,
    shrinkage: UnitInterval = 1e-6,
    largest: NonNegativeFloat = 0.004,
    choices: PositiveInt = 21,
    batch_size: PositiveInt = 250,
) -> dict[str, Tensor]:
    """Return the Gaussians of the last hidden layer, and the magnitude of the step.

    One half of the ID images, drawn by the seed, gives the Gaussians. The other half and the anomalous images choose the
    magnitude. Distances of the images that a mean was computed from would be too small. Of `choices` magnitudes from 0
    to `largest`, the smallest wins whose threshold for 95 % of the ID images accepts the fewest anomalous images.

    Args:
        fit_images: ID images (N, C, H, W), at least four.
        fit_labels: (N,).
        anomalous_images: (M, C, H, W), of families that no test set is of.
        model: a classifier with at least one hidden layer.
        seed: of the split.
        shrinkage: of the covariance, see `fit_gaussians`.
        largest: largest magnitude, in pixel units; 0.004 in Chen et al. 2020.
        choices: how many magnitudes are tried, 0 included.
        batch_size: images per forward pass.

    Returns:
        Means (K, D), whitening (D, D), magnitude (1,).

    Raises:
        ValueError: If the network has no hidden layer, if there are fewer than four ID images, or if they leave the
            covariance singular.

    References:
        Lee et al. 2018, section 2.2; Chen et al. 2020, whose magnitudes these are; docs/papers/aloe.md, Deviations.
    """
    first, second = halves(len(fit_images), seed)
    features = all_layer_features(model, fit_images[first], batch_size)[-1]
    means, whitening = fit_gaussians(features, fit_labels[first], shrinkage=shrinkage)
    gaussians = {"means": means, "whitening": whitening}
    magnitude = best_magnitude(
        fit_images[second],
        anomalous_images,
        lambda images: _direction(model, images, gaussians),
        lambda images: _distances(model, images, gaussians),
        largest=largest,
        choices=choices,
        batch_size=batch_size,
    )
    return gaussians | {"magnitude": magnitude}


def tuned_mahalanobis(images: Tensor, model: nn.Module, state: dict[str, Tensor]) -> Tensor:
    """Return half the squared Mahalanobis distance of x~ to its nearest class mean.

    x~ = x - magnitude * sign(gradient of the distance of x to its nearest class mean), not clipped. Differentiable in
    the images end to end: the sign is constant almost everywhere, so the step passes the gradient on unchanged.

    Args:
        images: (N, C, H, W).
        model: the fitted classifier.
        state: see `fit`.

    Returns:
        (N,), at least 0; higher is more anomalous.

    References:
        Lee et al. 2018, eq. 2 and section 2.2, of one layer. Their confidence is minus this distance; they add its sign.
    """
    images = stepped(images, lambda candidates: _direction(model, candidates, state), float(state["magnitude"]))
    return _distances(model, images, state)


def _direction(model: nn.Module, images: Tensor, state: dict[str, Tensor]) -> Tensor:
    """Return the sign of the gradient of `_distances`, (N, C, H, W)."""
    return loss_and_input_gradient(lambda candidates: _distances(model, candidates, state), images)[1].sign()


def _distances(model: nn.Module, images: Tensor, state: dict[str, Tensor]) -> Tensor:
    """Return half the squared distance to the nearest class mean, (N,)."""
    return 0.5 * squared_distances(layer_features(model, images)[-1], state["means"], state["whitening"]).amin(dim=1)

"""openmax: a logit for "unknown", from distances to mean logits; pytorch-ood fits longer tails, with wrong images."""

from __future__ import annotations

import torch
from scipy.optimize import brentq
from torch import Tensor

from touchstone.contracts import PositiveInt
from touchstone.numerics.precision import float32_rounding

OFFSET = 10_000.0  # added to distances by the authors' library before it fits; the tail then resembles a Gumbel's
PARTS = ("means", "start", "shape", "scale")


def fit(fit_logits: Tensor, fit_labels: Tensor, *, tail: PositiveInt = 20) -> dict[str, Tensor]:
    """Return the mean logits of each class and the Weibull distribution of its largest distances.

    Only images that are classified correctly count. Means (K, K); the distance at which each tail begins, its shape
    and its scale, each (K,).

    Args:
        fit_logits: (N, K).
        fit_labels: (N,), from 0 to K - 1.
        tail: how many of the largest distances of a class are fitted; at most a tenth of them, but three.

    Raises:
        ValueError: If fewer than three images of a class are classified correctly, or if its distances are all equal.

    pytorch-ood fits its whole tail of 25 distances, however few images a class has, and those of wrong images, too. With a
    tail of a tenth it ranks images as this does.

    References:
        Bendale & Boult 2016, algorithm 1, with Euclidean distances.
    """
    logits = fit_logits.detach().double()
    right = logits.argmax(1) == fit_labels
    means, tails = [], []
    for label in range(logits.shape[1]):
        rows = logits[right & (fit_labels == label)]
        if len(rows) < 3:
            raise ValueError(f"class {label}: {len(rows)} of its images are classified correctly; openmax needs 3")
        means.append(rows.mean(0))
        count = max(3, min(tail, len(rows) // 10))
        largest = (rows - means[-1]).norm(dim=1).sort().values[-count:]
        if not float(largest[-1] - largest[0]) > float32_rounding(rows, steps=1):
            raise ValueError(f"class {label}: its {count} largest distances are all equal; fit on more images")
        tails.append((float(largest[0]), *weibull(largest - largest[0] + OFFSET)))
    start, shape, scale = torch.tensor(tails, dtype=torch.float64).T
    return {"means": torch.stack(means), "start": start.clone(), "shape": shape.clone(), "scale": scale.clone()}


def openmax(logits: Tensor, state: dict[str, Tensor], *, revised: PositiveInt = 10) -> Tensor:
    """Return the logit of the probability that OpenMax gives to "unknown".

    The class at rank r of R revised ones loses the share w (R + 1 - r) / R of its logit. w is the probability that
    images of the class lie nearer to its mean logits than this one. What all classes lose is the logit of "unknown".
    The score is this logit less the logsumexp of the logits that are left: a monotone function of the probability,
    without its saturation.

    Args:
        logits: (N, K).
        state: see `fit`.
        revised: R, how many of the largest logits are revised; all, if there are fewer classes.

    Returns:
        (N,), unbounded; higher is more anomalous.

    References:
        Bendale & Boult 2016, algorithm 2, as in the authors' code.
    """
    means, start, shape, scale = (state[name].to(logits.device, torch.float64) for name in PARTS)
    values = logits.double()
    distances = (values[:, None] - means).norm(dim=2)
    # log((d - start + OFFSET) / scale), whose two parts differ by a thousandth: log1p keeps the digits.
    logarithms = torch.log1p(((distances - start + OFFSET - scale) / scale).clamp(min=-1 + 1e-12))
    weights = -torch.expm1(-torch.exp((shape * logarithms).clamp(max=50)))
    ranks = values.argsort(dim=1, descending=True).argsort(dim=1)
    count = min(revised, values.shape[1])
    lost = values * weights * ((count - ranks) / count).clamp(min=0)
    return (lost.sum(1) - torch.logsumexp(values - lost, dim=1)).to(logits.dtype)


def weibull(values: Tensor) -> tuple[float, float]:
    """Return shape and scale of the Weibull distribution of greatest likelihood for positive values (N,).

    The shape k solves sum(x^k ln x) / sum(x^k) - 1 / k = mean(ln x), and the scale is mean(x^k)^(1 / k).
    """
    largest = values.max()
    logarithms = (values / largest).log()

    def slope(shape: float) -> float:
        powers = (shape * logarithms).softmax(0)
        return float((powers * logarithms).sum() - 1 / shape - logarithms.mean())

    high = 1.0
    while slope(high) < 0:
        high *= 2
    shape = brentq(slope, high * 1e-9, high, xtol=1e-12, rtol=1e-12)
    return shape, float(largest * (shape * logarithms).exp().mean() ** (1 / shape))

"""What is true of the world of known answers: closed forms, one-dimensional integrals and exact programs.

Nothing here imports touchstone. Pixels have variance `variance(sigma)`, which includes their rounding to 1/255 (Sheppard).
The lead of a rule is the amount by which it prefers the true class: an image is right if its lead is above 0.
"""

from __future__ import annotations

from itertools import product
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from scipy import integrate, optimize, stats

Array = NDArray[np.float64]
LEVEL = 1 / 255
CLASS_PIXELS, MARKER_PIXELS, NUISANCE_PIXELS = 8, 4, 4
Phi = stats.norm.cdf


def variance(sigma: float) -> float:
    """Return the variance of a Gaussian pixel after rounding."""
    return sigma**2 + LEVEL**2 / 12


def mean_over_normal(function: object, mean: float, spread: float) -> float:
    """Return the mean of a function of one normal variable: Gauss-Hermite quadrature with 60 nodes."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    values = [function(mean + spread * node) for node in nodes]  # type: ignore[operator]
    return float(np.dot(weights, values) / sqrt(2 * np.pi))


# --- linear rules -----------------------------------------------------------------------------------------------------


def lead_spread(sigma: float, nuisance: float = 0.0) -> float:
    """Return the standard deviation of the lead of a linear rule; its mean is the distance of the classes from 0.5."""
    return sqrt(variance(sigma) * (1 / CLASS_PIXELS + nuisance**2 / NUISANCE_PIXELS))


def linear_accuracy(
    distance: float, sigma: float, eps: float = 0.0, nuisance: float = 0.0, nuisance_spread: float = 0.0
) -> float:
    """Return the accuracy within an L-inf ball, as a mean over rules whose nuisance weight is normal.

    The ball lowers the lead by eps times the L1 norm of the weights, 1 + |nuisance weight|.
    """

    def of(weight: float) -> float:
        return float(Phi((distance - eps * (1 + abs(weight))) / lead_spread(sigma, weight)))

    return mean_over_normal(of, nuisance, nuisance_spread) if nuisance_spread else of(nuisance)


def median_margin(distance: float, sigma: float) -> float:
    """Return the median L-inf margin of a linear rule, which is the size of its lead."""
    spread = lead_spread(sigma)
    return float(
        optimize.brentq(lambda x: Phi((x - distance) / spread) - Phi((-x - distance) / spread) - 0.5, 0, 10 * spread)
    )


def _margin_density(size: Array | float, distance: float, spread: float) -> Array:
    return np.asarray(stats.norm.pdf(size, distance, spread) + stats.norm.pdf(size, -distance, spread))


def _margin_share(size: Array | float, distance: float, spread: float) -> Array:
    return np.asarray(Phi((size - distance) / spread) - Phi((-size - distance) / spread))


def scaled_tau(distance: float, sigma: float, scale: float) -> float:
    """Return Kendall's tau of the margin X and of S X, where S is 1 or `scale` with equal chances, independent of X.

    A pair is discordant if the S differ and the smaller X overtakes the larger one: 1 - P(X < X' < scale X).
    """
    spread = lead_spread(sigma)

    def density(x: float) -> float:
        ahead = _margin_share(scale * x, distance, spread) - _margin_share(x, distance, spread)
        return float(_margin_density(x, distance, spread) * ahead)

    return 1 - float(integrate.quad(density, 0, distance + 12 * spread, limit=200)[0])


def scaled_brittle_auroc(distance: float, sigma: float, scale: float, eps: float) -> float:
    """Return the AUROC with which minus S X finds the margins X of at most eps."""
    spread = lead_spread(sigma)
    brittle = float(_margin_share(eps, distance, spread))

    def missed(x: float) -> float:  # a brittle x with the factor `scale`, a margin between eps and scale x without it
        ahead = float(_margin_share(max(scale * x, eps), distance, spread)) - brittle
        return float(_margin_density(x, distance, spread)) * ahead / 4

    wrong = float(integrate.quad(missed, 0, eps, limit=200)[0])
    return 1 - wrong / (brittle * (1 - brittle))


# --- the quadratic rule -----------------------------------------------------------------------------------------------


def quadratic_accuracy(sigma: float, radius: float, eps: float = 0.0) -> float:
    """Return the accuracy within an L2 ball of the rule that calls class 1 what is farther than `radius` from 0.5.

    Class 0 has the spread sigma and class 1 twice that, both around 0.5; distances are chi variables.
    """
    narrow, wide = sqrt(variance(sigma)), sqrt(variance(2 * sigma))
    inside = stats.chi.cdf((radius - eps) / narrow, CLASS_PIXELS)
    outside = stats.chi.sf((radius + eps) / wide, CLASS_PIXELS)
    return float(inside + outside) / 2


# --- detectors --------------------------------------------------------------------------------------------------------


def marker_spread(sigma: float, pixels: int = MARKER_PIXELS) -> float:
    """Return the standard deviation of the mean of some pixels."""
    return sqrt(variance(sigma) / pixels)


def auroc(shift: float, sigma: float, pixels: int = MARKER_PIXELS, eps: float = 0.0) -> float:
    """Return the AUROC of the mean of some pixels; each side moves by eps towards the other."""
    return float(Phi((shift - 2 * eps) / (sqrt(2) * marker_spread(sigma, pixels))))


def accepted_at_95(shift: float, sigma: float) -> float:
    """Return the share of anomalous images below the score that 95 % of the known ones have (fpr95_id)."""
    return float(Phi(stats.norm.ppf(0.95) - shift / marker_spread(sigma)))


def spread_auroc(sigma: float, wider: float) -> float:
    """Return the AUROC of the squared distance between pixels of two spreads: a ratio of chi-squares, an F variable."""
    return float(stats.f.sf(variance(sigma) / variance(wider), MARKER_PIXELS, MARKER_PIXELS))


def flagged(rate: float, calibration: int) -> float:
    """Return the share of new images above the smallest of `calibration` scores that at most `rate` of them exceed.

    The mean of an order statistic's tail: the share of the scores above it, out of one more.
    """
    return (int(calibration * rate + 1e-9) + 1) / (calibration + 1)


def evasion(distance: float, sigma: float, eps: float, rate: float, calibration: int) -> float:
    """Return the share of images that an attack within eps makes wrong, and whose marker it keeps at the threshold.

    Rule and marker read different pixels, so both succeed independently. The threshold is an order statistic, whose
    tail is a beta variable.
    """
    above = int(calibration * rate + 1e-9) + 1
    tail = stats.beta(above, calibration + 1 - above)
    spread = marker_spread(sigma)
    kept = integrate.quad(lambda p: tail.pdf(p) * Phi(stats.norm.isf(p) + eps / spread), 1e-9, 0.5, limit=200)[0]
    return (1 - linear_accuracy(distance, sigma, eps)) * float(kept)


# --- the integer network ----------------------------------------------------------------------------------------------

LATTICE = (51, 102, 153, 204)
RULE, BOUND = (2, 1, -1, 1), 402
FIRST = np.array([[0, 2, -1, -2], [-1, 0, -2, 2], [2, 1, -1, 0], [-2, 0, -2, -2]], dtype=np.float64)
FIRST_BIAS = np.array([255, -255, 0, 255], dtype=np.float64)
SECOND, SECOND_BIAS = np.array([-1, -1, 2, 1], dtype=np.float64), -382.0


def least_lead(point: Array, sign: int, eps: int) -> float:
    """Return the least sign * lead of the integer network within eps of a point, in levels: one exact program.

    The variables are the pixels x, the hidden units h = relu(a) of a = FIRST x + FIRST_BIAS, and a binary z per unit that
    says whether it is on: a <= h <= a - low (1 - z), h <= high z, where a is in [low, high].
    """
    below, above = np.clip(point - eps, 0, 255), np.clip(point + eps, 0, 255)
    units, pixels = FIRST.shape
    low = np.minimum(np.minimum(FIRST * below, FIRST * above).sum(1) + FIRST_BIAS, 0)
    high = np.maximum(np.maximum(FIRST * below, FIRST * above).sum(1) + FIRST_BIAS, 0)
    one, none = np.eye(units), np.zeros((units, units))
    rows = np.vstack(
        [
            np.hstack([FIRST, -one, none]),
            np.hstack([-FIRST, one, np.diag(-low)]),
            np.hstack([np.zeros((units, pixels)), one, np.diag(-high)]),
        ]
    )
    limits = np.concatenate([-FIRST_BIAS, FIRST_BIAS - low, np.zeros(units)])
    solved = optimize.milp(
        np.concatenate([np.zeros(pixels), sign * SECOND, np.zeros(units)]),
        constraints=optimize.LinearConstraint(rows, -np.inf, limits),
        bounds=optimize.Bounds(
            np.concatenate([below, np.zeros(2 * units)]), np.concatenate([above, high, np.ones(units)])
        ),
        integrality=np.concatenate([np.zeros(pixels + units), np.ones(units)]),
    )
    if solved.fun is None:
        raise RuntimeError(f"the program was not solved: {solved.message}")
    return float(solved.fun) + sign * SECOND_BIAS


def lattice_points() -> tuple[Array, Array]:
    """Return the 256 points of the lattice in levels, (256, 4), and the sign of the class of each, (256,)."""
    points = np.array(list(product(LATTICE, repeat=4)), dtype=np.float64)
    return points, np.where(points @ np.array(RULE) > BOUND, 1, -1)


def integer_accuracy(eps: int) -> float:
    """Return the share of the lattice's points that stay right within eps levels, by 256 exact programs."""
    points, signs = lattice_points()
    leads = [least_lead(point, int(sign), eps) for point, sign in zip(points, signs, strict=True)]
    return float(np.mean([lead > 0 for lead in leads]))


def confidence(distance: float, sigma: float, scale: float, scale_spread: float = 0.0) -> float:
    """Return the mean probability of the predicted class of a linear rule whose logits are -+ scale times the lead.

    With a spread it is the mean over rules, the logarithms of whose scales are normal.
    """
    if scale_spread:
        return mean_over_normal(lambda log: confidence(distance, sigma, scale * float(np.exp(log))), 0, scale_spread)
    spread = lead_spread(sigma)

    def density(x: float) -> float:
        return float(stats.norm.pdf(x, distance, spread)) / (1 + float(np.exp(-2 * scale * abs(x))))

    ends = distance - 10 * spread, distance + 10 * spread
    return float(integrate.quad(density, *ends, points=[0.0], limit=200)[0])
